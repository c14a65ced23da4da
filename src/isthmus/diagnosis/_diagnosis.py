"""All checks of a member, and what they found, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, overload

from isthmus.core.findings import Finding
from isthmus.core.notebook import html_table
from isthmus.data.datasets import Data, require_data
from isthmus.diagnosis import _codes, _memorising, _outputs, _scale, _training
from isthmus.diagnosis._codes import Findings
from isthmus.diagnosis._examination import Examination
from isthmus.errors import InputError
from isthmus.estimators.base import Estimator
from isthmus.training.settings import require_seed

_CHECKS: dict[str, Callable[[Examination], Findings]] = {
    "scale of the data": _scale.scale,
    "scale of new examples": _scale.shift,
    "fall of the objective": _training.objective,
    "end of the warm-up": _training.warm_up,
    "length of the training, by the objective": _training.too_short,
    "length of the training, by validation": _training.too_long,
    "strength of the adversary": _training.critic,
    "codes by themselves": _codes.code_in_itself,
    "use of the dimensions": _codes.collapsed_dimensions,
    "use of the units": _codes.units,
    "what codes tell": _codes.ignored_input,
    "what the decoder reads": _codes.ignored_code,
    "rate": _codes.rate_of_codes,
    "codes beside the prior": _codes.prior,
    "better than the mean": _outputs.mean_of_the_data,
    "better than PCA": _outputs.linear_map,
    "constant outputs": _outputs.constant_outputs,
    "saturated outputs": _outputs.saturated_outputs,
    "error of new examples": _memorising.test_error,
    "copies among samples": _memorising.copies,
}

_SILENT = {"posterior-collapse", "posterior-ignores-input", "constant-code"}
_FOLLOWS = {  # what is no news beside any of others
    "collapsed-dimensions": {"posterior-collapse"},
    "posterior-ignores-input": {"posterior-collapse"},
    "rate-too-low": _SILENT,
    "code-ignored": _SILENT | {"worse-than-mean"},
    "constant-outputs": _SILENT,
    "worse-than-mean": _SILENT | {"objective-did-not-fall"},
    "worse-than-pca": _SILENT | {"worse-than-mean", "code-ignored", "learnt-by-heart"},
    "stopped-too-early": {"objective-did-not-fall"},
}
_ORDER = ("fault", "warning", "note")


@dataclass(frozen=True, repr=False)
class Diagnosis(Sequence[Finding]):
    """What is wrong with a member: its findings, the worst first, which print as sentences.

    Attributes:
        title: which member on which data.
        findings: what is wrong.
        fine: the checks that found nothing.
        skipped: the checks that do not apply to such a member.
    """

    title: str
    findings: tuple[Finding, ...]
    fine: tuple[str, ...]
    skipped: tuple[str, ...]

    @overload
    def __getitem__(self, place: int) -> Finding: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Finding, ...]: ...
    def __getitem__(self, place: int | slice) -> Finding | tuple[Finding, ...]:
        return self.findings[place]

    def __len__(self) -> int:
        return len(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __repr__(self) -> str:
        return f"Diagnosis({self.title}: {', '.join(f.name for f in self) or 'nothing found'})"

    def __str__(self) -> str:
        return "\n".join([self.summary, *(f"  {f.severity}: {f} [{f.bounds}]" for f in self)])

    @property
    def summary(self) -> str:
        """In one sentence: how many findings, of how many checks."""
        count = len(self)
        found = f"{count} finding{'s' * (count > 1)}" if count else "nothing found"
        return f"{self.title}: {found} in {self.checks} checks."

    @property
    def checks(self) -> int:
        """How many checks apply to such a member."""
        return len(_CHECKS) - len(self.skipped)

    def to_json(self) -> dict[str, Any]:
        """The same as plain values."""
        findings = [{**asdict(finding), "text": str(finding)} for finding in self]
        return {
            "title": self.title,
            "findings": findings,
            "fine": list(self.fine),
            "skipped": list(self.skipped),
        }

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def _repr_html_(self) -> str:
        rows = [(f.severity, str(f), f.bounds) for f in self]
        foot = f"without a finding: {', '.join(self.fine)}" if self.fine else ""
        head = ("", "what is wrong, and the remedy", "measured") if rows else ()
        return html_table(self.summary, rows, head, foot, longest=len(rows) + 1, is_text=True)


def diagnose(model: Estimator, data: Data, *, random_state: int = 0) -> Diagnosis:
    """What is wrong with a fitted member, in plain sentences, each with the measure, the limit and
    the remedy.

    It looks at up to 5,000 training and 2,000 test examples: whether data are badly scaled, whether
    training was too short, too long, or won by an adversary, whether codes carry anything, lie
    where the prior is, and are read by the decoder, whether reconstructions are better than the
    mean and than PCA of the same size, and whether examples were learnt by heart.

    Args:
        model: a fitted member.
        data: its training part is what the member was trained on, its test part is new to it.
        random_state: picks examples where there are many, and draws new ones.

    Raises:
        InputError: for anything but a member, and where the test part is empty.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> vae = ist.load("pretrained:vae-digits-2d")
        >>> print(ist.diagnose(vae, data))
        VAE on digits: nothing found in 16 checks.
    """
    require_seed(random_state)
    require_data(data)
    if not isinstance(model, Estimator):
        raise InputError(
            f"model is a {type(model).__name__}, but a fitted member is needed: of a classifier or"
            " a detector, give the member that it holds (its member_)."
        )
    model._fitted()
    if len(data.test) == 0:
        raise InputError(
            f"{data.name} has no test part to judge by: load it with test_fraction=0.2."
        )
    seen = Examination(model, data, random_state)
    results = {name: check(seen) for name, check in _CHECKS.items()}
    found = [finding for findings in results.values() for finding in findings or ()]
    names = {finding.name for finding in found}
    news = [finding for finding in found if not names & _FOLLOWS.get(finding.name, set())]
    return Diagnosis(
        f"{type(model).__name__} on {data.name}",
        tuple(sorted(news, key=lambda finding: _ORDER.index(finding.severity))),
        tuple(name for name, findings in results.items() if findings == []),
        tuple(name for name, findings in results.items() if findings is None),
    )
