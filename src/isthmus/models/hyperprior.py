"""The scale hyperprior: an autoencoder whose codes are made to be written into a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
import torch
from torch import Tensor

from isthmus.compression.container import Coded, ExampleForm
from isthmus.compression.varints import damaged_data
from isthmus.core.autoencoder import Autoencoder, Bottleneck, LossFunction
from isthmus.core.counts import require_count
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import Field, field
from isthmus.data.incoming import incoming
from isthmus.errors import InputError
from isthmus.estimators._sizes import for_shape, shape_given
from isthmus.estimators.base import Estimator
from isthmus.estimators.precision import dtype_of
from isthmus.likelihoods import LikelihoodPart, SquaredError
from isthmus.models._hyperprior import HyperpriorBottleneck, RateDistortion
from isthmus.models._hyperprior_files import Written, quality_of, read_back, written


@dataclass(repr=False, eq=False, kw_only=True)
class Hyperprior(Estimator):
    r"""Scale hyperprior: a code of whole numbers that is cheap to write into a file, by rates.

    .. math:: \min \; \mathbb{E}_x \left[ \lambda \, d(x, g_s(\hat y)) - \log P(\hat y \mid \hat z)
              - \log P(\hat z) \right], \quad \hat y = \lfloor g_a(x) \rceil, \quad
              \hat z = \lfloor h_a(|g_a(x)|) \rceil

    where the distortion d is the likelihood's, by default the squared error, summed over an image,
    and the other two terms are the rate in nats: divided by log 2 it is the size of the file in
    bits, within 2% (``compress``). Under ``likelihood=Gaussian(scale=s)`` and
    ``distortion_weights=(1,)`` it is the evidence bound. Rounding is replaced by uniform noise in
    training. :math:`\hat y` is written under Gaussians of mean 0, whose scales are read from
    :math:`\hat z`; that is written under a density a channel, learnt along.

    One model serves several rates: in training each example is given one of the weights λ by
    chance, and each λ has a gain a channel (Cui et al. 2021). ``quality`` chooses one afterwards.
    The weights published for low to high rates, of 255² times the mean squared error beside bits
    per pixel, are 0.0018, …, 0.18: multiply by 255² log(2) / 3, which is 15,024, and round, for the
    λ here: 27, …, 2704.

    ``x: (n, channels, height, width)``; a code is a grid of sides a sixteenth of these, rounded up.
    The networks only convolve, so images of any size can be handed in afterwards (:meth:`for_size`
    is called for them); train on patches of at least 64 a side, which
    ``ist.data.load(folder, patch=128)`` cuts. Features that are vectors are a grid of one place.
    ``encode`` gives :class:`~isthmus.models._hyperprior.Hyper`: ŷ, ẑ and the scales; ``transform``
    gives ŷ as flat rows.

    Raises:
        InputError: at ``fit``, for unusable fields; at ``fit_prior``, because the prior is learnt
            already.

    References:
        J. Ballé, D. Minnen, S. Singh, S. J. Hwang and N. Johnston, Variational image compression
        with a scale hyperprior, ICLR 2018.
        Z. Cui et al., Asymmetric gained deep image compression with continuous rate adaptation,
        CVPR 2021 (gains).

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> model = ist.Hyperprior(latent_dim=8, epochs=1, random_state=0).fit(data.train)
        >>> y, z, scale = model.encode(data.test.x)
        >>> y.shape, z.shape
        ((359, 8, 1, 1), (359, 64, 1, 1))
    """

    grid_network = "gdn"
    learns_prior = True
    any_size = True

    latent_dim: int = field(128, "channels of the code y, at every place of its grid", low=1)
    hyper_channels: int = field(64, "channels of the code z, which says the scales of y", low=1)
    distortion_weights: tuple[int, ...] = field(
        (30, 100, 300, 1000),
        "weights λ of the distortion beside the rate; one model is trained for all of them",
        low=1,
    )
    quality: int | None = field(
        None,
        "which of distortion_weights codes are made for after training, counted from 0; none: the"
        " last",
        low=0,
        afterwards=True,
    )

    def for_size(self, height: int, width: int) -> Self:
        """The same trained model, with the same weights, for images of another size.

        Args:
            height, width: pixels, from 1 up.
        """
        for name, value in {"height": height, "width": width}.items():
            require_count(name, value)
        known = self._settled.layout
        last = known.channels == "last"
        sides = int(height), int(width)
        sizes = (*sides, known.outer[-1]) if last else (*known.outer[:-2], *sides)
        return for_shape(self, sizes)

    def squared_error(self, X: Any, condition: Any = None) -> np.ndarray:
        """The squared error of each reconstruction, summed over the image, ``(n,)``."""
        X = incoming(X)
        member = self._suiting(X)
        error: np.ndarray = super(Hyperprior, member).squared_error(X, condition)
        return error

    # ------------------------------------------------------------------ what the above is made of

    def _bottleneck(self, features: Shape) -> Bottleneck:
        if not self.distortion_weights:
            raise InputError(
                f"distortion_weights={self.distortion_weights!r} asks for no rate: give at least"
                " one weight, such as (100,)."
            )
        made = HyperpriorBottleneck(
            features, self.latent_dim, self.hyper_channels, self.distortion_weights
        )
        made.quality = self._quality
        return made

    @property
    def _quality(self) -> int:
        """The place of the chosen weight."""
        self._require_quality(self.quality)
        return len(self.distortion_weights) - 1 if self.quality is None else self.quality

    def _check_anew(self, declaration: Field, value: Any) -> None:
        super()._check_anew(declaration, value)
        if declaration.name == "quality":
            self._require_quality(value)

    def _require_quality(self, quality: int | None) -> None:
        """Refuse the place of a weight that there is not."""
        count = len(self.distortion_weights)
        if quality is not None and quality >= count:
            raise InputError(
                f"quality={quality} does not exist: this Hyperprior has {count}"
                f" distortion_weights, so give a number from 0 to {count - 1}."
            )

    def _likelihood(self, spec: ExampleSpec) -> LikelihoodPart:
        if self.likelihood == "auto" and spec.columns is None:
            return SquaredError(output="clipped" if spec.unit_range else "linear")
        return super()._likelihood(spec)

    def _loss_function(self, spec: ExampleSpec) -> LossFunction:
        return RateDistortion()

    @contextmanager
    def _inference(
        self, floating: torch.dtype = torch.float32, *, charged: bool = False
    ) -> Iterator[Autoencoder]:
        with super()._inference(floating, charged=charged) as module:
            cast("HyperpriorBottleneck", module.bottleneck).quality = self._quality
            yield module

    def _suiting(self, X: Any) -> Self:
        """This model for images of the size of those given."""
        self._fitted()
        outer = shape_given(X)
        is_other = self.preprocessor_.spec.kind == "image" and len(outer) > 1
        return for_shape(self, outer) if is_other else self

    def _posterior(self, X: Any, condition: Any = None) -> Any:
        X = incoming(X)
        return super(Hyperprior, self._suiting(X))._posterior(X, condition)

    def _restored(self, x: Any, X: Any, own: Any = None, condition: Any = None) -> Any:
        return super(Hyperprior, self._suiting(x))._restored(x, X, own, condition)

    def _terms(self, X: Any, condition: Any, is_wide: bool) -> dict[str, np.ndarray]:
        return super(Hyperprior, self._suiting(X))._terms(X, condition, is_wide)

    def _coded(self, X: Any, condition: Any) -> Coded:
        member = self._suiting(X)
        y, z, _ = member._posterior(X, condition)
        grid = y.reshape(*y.shape[:2], *member._bottleneck_in_float64().grid)
        file = written(member._bottleneck_in_float64(), grid, z)
        form = ExampleForm(len(y), member.preprocessor_.layout.outer, dtype_of(X))
        return Coded(form, tuple(file))

    def _uncoded(self, coded: Coded) -> Any:
        form, file = coded.form, Written(*coded.streams) if len(coded.streams) == 4 else None
        if file is None:
            raise damaged_data()
        quality = quality_of(file.head, len(self.distortion_weights))
        member = for_shape(self, form.shape)._with(quality=quality)
        member._require_room(form.n)
        grid = read_back(member._bottleneck_in_float64(), file, form.n)
        y = grid.astype(np.float32).reshape(form.n, *member.module_.bottleneck.code_shape)
        return member._decoded(torch.from_numpy(y), np.empty(0, form.dtype))

    def _bottleneck_in_float64(self) -> HyperpriorBottleneck:
        with self._inference(torch.float64) as module:
            return cast("HyperpriorBottleneck", module.bottleneck)

    def _prior(self, n: int, temperature: float, condition: Tensor | None = None) -> Tensor:
        with self._inference() as module:
            made = cast("HyperpriorBottleneck", module.bottleneck)
            return made.sample(n, temperature).cpu()
