"""What a trained member becomes for others: a torch module, a file of ONNX, a run on a hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from isthmus.core.paths import as_path

if TYPE_CHECKING:
    from isthmus.estimators.base import Estimator
    from isthmus.io.export import Portable


class ExportingMixin:
    """A trained member in the forms in which programs take it that do not know isthmus."""

    def to_module(self, part: str = "reconstruct") -> Portable:
        """A part of the trained member as a torch module with the scaling inside.

        It takes tensors in the layout and units of the data, and gives such; nothing is drawn, a
        code is its mean. ``torch.export`` works on it, for a batch of any size. It is a copy, on
        the processor, in float32.

        Args:
            part: ``"reconstruct"``, x ``(n, *shape)`` to what comes back of it; ``"encoder"``, x to
                codes ``(n, *code)``, of quantised members the indices ``(n, positions)``, all
                levels in a row; ``"decoder"``, from such codes to examples; ``"whole"``, x to codes
                and reconstructions; ``"posterior"``, x to all that ``encode`` says of it.

        A conditional member takes the condition as a second input: the place of the class in the
        order of the classes, ``(n,)``, or covariates ``(n, c)``. NaN marks missing values where the
        training examples had some, and the steps behind the end of a sequence.

        Raises:
            InputError: for an unknown part, and for a table with columns that are no numbers.

        Example:
            >>> import isthmus as ist, torch
            >>> vae = ist.load("pretrained:vae-digits-2d")
            >>> module = vae.to_module("encoder")
            >>> module(torch.zeros(3, 1, 8, 8)).shape
            torch.Size([3, 2])
        """
        from isthmus.io.export import portable  # torch.export is slow to import

        return portable(cast("Estimator", self), part)

    def export(
        self, path: str | Path, *, parts: Sequence[str] = ("whole",), opset: int = 18
    ) -> list[Path]:
        """Write the trained member as ONNX, scaling included, for a batch of any size.

        Args:
            path: of the file, which ends in ``.onnx``.
            parts: of :meth:`to_module`; a single one is written to ``path``, several beside it,
                each under its name: ``model-encoder.onnx``, ``model-decoder.onnx``.
            opset: version of the operators, 18 to 23.

        Returns:
            The paths of the files. Each holds what it was made of: member, settings, layout, units,
            classes.

        Raises:
            InputError: for unknown parts, another opset, and models that are no graph of tensors.
            MissingExtraError: where ``isthmus[onnx]`` is not installed.
        """
        from isthmus.io.export import export

        return export(cast("Estimator", self), as_path(path, "path"), parts, opset)

    def push_to_hub(
        self,
        name: str,
        *,
        licence: str = "unknown",
        test: Any = None,
        private: bool = False,
        token: str | None = None,
        message: str = "A run of isthmus",
    ) -> str:
        """Send the run to a hub, with a card of what it is; ``isthmus.load`` fetches it from there.

        The card says member, data, settings, licence, and what was measured. Where the training
        data lay on this machine is left out.

        Args:
            name: ``"user/name"``, or ``"user/name@branch"``; made where it is not there.
            licence: of the model, as the hub writes it: ``"mit"``, ``"cc-by-4.0"``, …
            test: examples that the card's errors are measured on, such as ``data.test``; those of
                the last epoch of training without.
            private: whether a new repository is private.
            token: of the hub; that of ``hf auth login`` or ``HF_TOKEN`` if none is given.
            message: of the commit.

        Returns:
            The address of what was sent, with its commit: ``"hub:user/name@0123abc…"``.

        Raises:
            InputError: for an unusable name, and where the hub refuses or cannot be reached.
            MissingExtraError: where ``isthmus[hub]`` is not installed.
        """
        from isthmus.io import cards, publishing  # huggingface_hub is slow to import

        model = cast("Estimator", self)
        model._fitted()
        measured = cards.last_measured(model) if test is None else cards.measured_on(model, test)
        return publishing.publish(
            model, name, measured, licence=licence, private=private, token=token, message=message
        )
