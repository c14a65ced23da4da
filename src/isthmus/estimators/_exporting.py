"""What a trained member becomes for others: a torch module, a file of ONNX, a run on a hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

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
