"""The one place where members, their parts, callbacks, data sets and figures are found by name.

A registration is a line that maps a name to ``"module:attribute"``; nothing is imported until it is
asked for. Other packages add names of theirs by entry points in the group ``isthmus.members``,
``isthmus.networks``, and so on, one for each registry.
"""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from isthmus.errors import InputError, unknown

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


class Registry(Mapping[str, Any]):
    """Names of one kind of thing, imported at the first look-up.

    ``registry["vae"]`` gives the object; ``registry.add(name, "package.module:Attribute")`` adds
    one of your own. A miss raises :class:`~isthmus.errors.InputError`, which lists the known names,
    the nearest first. Names of installed packages are looked up when something other than our own
    is asked for.

    Args:
        kind: what it is called in messages.
        targets: our own names, each with its ``"module:attribute"``.
        base: the class that all its things must have, as ``"module:Class"``; empty for any.
    """

    def __init__(self, kind: str, targets: Mapping[str, str], base: str = "") -> None:
        self.kind, self.base = kind, base
        plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
        self._plural = plural.replace(" ", "_")
        self.group = f"isthmus.{self._plural}"
        self._targets = dict(targets)

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def add(self, name: str, target: str) -> None:
        """Register ``target`` ("module:attribute") under a name that is still free."""
        if name in self:
            raise InputError(
                f"{self.kind} {name!r} is registered already, as {self.target(name)}: choose"
                " another name."
            )
        if target.count(":") != 1:
            raise InputError(
                f"{self.kind} {name!r}: the target {target!r} must read 'module:attribute'."
            )
        self._targets[name] = target

    def target(self, name: str) -> str:
        """Where a name points to, as ``"module:attribute"``, without importing it."""
        if name in self._targets:
            return self._targets[name]
        if name not in self._installed:
            raise unknown(self.kind, name, self)
        found = self._installed[name]
        packages = sorted({_package(point) for point in found})
        if len(found) > 1:
            raise InputError(
                f"{self.kind} {name!r} is offered by {len(found)} installed packages"
                f" ({', '.join(packages)}): uninstall all but one."
            )
        if found[0].value.count(":") != 1:
            raise InputError(
                f"{self.kind} {name!r} of the package {packages[0]} points to"
                f" {found[0].value!r}, which must read 'module:attribute': tell its authors."
            )
        return found[0].value

    def is_own(self, name: str) -> bool:
        """Whether a name was registered here, and does not come from an installed package."""
        return name in self._targets

    def admits(self, value: object) -> bool:
        """Whether something is of the kind that is registered here, and can be configured."""
        if not self.base:
            return hasattr(value, "get_params")
        return isinstance(value, _imported(self.base))

    def name_of(self, cls: type) -> str:
        """The name under which a member's or a part's class is registered."""
        wanted = f"{cls.__module__}:{cls.__qualname__}"
        for name, target in self._targets.items():
            if target == wanted:
                return name
        package = cls.__module__.partition(".")[0]
        for name, points in self._installed.items():  # what it names may be passed on by a package
            if points[0].value.split(":")[0].split(".")[0] == package and self._is(name, cls):
                return name
        raise InputError(
            f"{cls.__qualname__} is not registered, so a run of it could not be loaded: call"
            f" isthmus.registry.{self._plural.upper()}.add('{cls.__name__.lower()}', '{wanted}')"
            " first."
        )

    def _is(self, name: str, cls: type) -> bool:
        try:
            return self[name] is cls
        except InputError:  # broken, or claimed twice
            return False

    def __getitem__(self, name: str) -> Any:
        target = self.target(name)
        if name in self._targets:
            return _imported(target)
        try:
            return _imported(target)
        except Exception as error:  # whatever a module of somebody else's raises on import
            package = _package(self._installed[name][0])
            raise InputError(
                f"{self.kind} {name!r} of the package {package} cannot be loaded"
                f" ({type(error).__name__}: {error}): reinstall the package, or uninstall it."
            ) from error

    def __contains__(self, name: object) -> bool:
        return name in self._targets or name in self._installed

    def __iter__(self) -> Iterator[str]:
        return iter(
            [*self._targets, *(name for name in self._installed if name not in self._targets)]
        )

    def __len__(self) -> int:
        return len(list(iter(self)))

    @functools.cached_property
    def _installed(self) -> dict[str, list[EntryPoint]]:
        """The names that installed packages add, in the order of the alphabet."""
        found: dict[str, list[EntryPoint]] = {}
        for point in sorted(_entry_points().get(self.group, []), key=lambda point: point.name):
            if point.name in self._targets:
                warnings.warn(
                    f"the package {_package(point)} offers the {self.kind} {point.name!r}, a name"
                    " that is taken: it is left out; its authors must choose another name.",
                    stacklevel=2,
                )
            else:
                found.setdefault(point.name, []).append(point)
        return found


def _imported(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value.partition(":")[0]


@functools.cache
def _entry_points() -> dict[str, list[EntryPoint]]:
    """The entry points of all installed packages that are meant for isthmus, by their group.

    The search path is read once; nothing that is found is imported.
    """
    from importlib.metadata import distributions  # read when a name is not our own

    found: dict[str, list[EntryPoint]] = {}
    seen: set[str] = set()
    for package in distributions():
        text = package.read_text("entry_points.txt")
        if not text or "[isthmus." not in text:
            continue
        name = re.sub(r"[-_.]+", "-", package.name).lower()
        if name in seen:  # an older copy, later on the path
            continue
        seen.add(name)
        for point in package.entry_points:
            if point.group.startswith("isthmus."):
                found.setdefault(point.group, []).append(point)
    return found


MEMBERS = Registry(
    "member",
    {
        "ae": "isthmus.models.ae:AE",
        "stacked": "isthmus.models.stacked:StackedAE",
        "vae": "isthmus.models.vae:VAE",
        "betatc": "isthmus.models.betatc:BetaTCVAE",
        "factorvae": "isthmus.models.factorvae:FactorVAE",
        "dipvae": "isthmus.models.dipvae:DIPVAE",
        "infovae": "isthmus.models.infovae:InfoVAE",
        "hvae": "isthmus.models.hvae:HamiltonianVAE",
        "iwae": "isthmus.models.iwae:IWAE",
        "laddervae": "isthmus.models.laddervae:LadderVAE",
        "nvae": "isthmus.models.nvae:NVAE",
        "biva": "isthmus.models.biva:BIVA",
        "sparse": "isthmus.models.sparse:SparseAE",
        "denoising": "isthmus.models.denoising:DenoisingAE",
        "contractive": "isthmus.models.contractive:ContractiveAE",
        "aae": "isthmus.models.aae:AAE",
        "wae": "isthmus.models.wae:WAE",
        "made": "isthmus.models.made:MADE",
        "masked": "isthmus.models.masked:MaskedAE",
        "slicedwae": "isthmus.models.slicedwae:SlicedWAE",
        "rae": "isthmus.models.rae:RAE",
        "clustering": "isthmus.models.clustering:ClusteringAE",
        "vade": "isthmus.models.vade:VaDE",
        "recurrent": "isthmus.models.recurrent:RecurrentAE",
        "vaegan": "isthmus.models.vaegan:VAEGAN",
        "deepsvdd": "isthmus.models.deepsvdd:DeepSVDD",
        "vqvae": "isthmus.models.vqvae:VQVAE",
        "vqvae2": "isthmus.models.vqvae2:VQVAE2",
        "hyperprior": "isthmus.models.hyperprior:Hyperprior",
        "ladder": "isthmus.models.ladder:LadderNetwork",
        "semivae": "isthmus.models.semivae:SemiSupervisedVAE",
        "semiaae": "isthmus.models.semiaae:SemiSupervisedAAE",
        "dictionary": "isthmus.models.dictionary:DictionaryAE",
    },
)

DETECTORS = Registry("detector", {"outliers": "isthmus.estimators.outliers:OutlierDetector"})

NETWORKS = Registry(
    "network",
    {
        "mlp": "isthmus.networks.mlp:MLP",
        "conv": "isthmus.networks.conv:Conv",
        "residual": "isthmus.networks.residual:Residual",
        "gdn": "isthmus.networks.gdn:GDNNetwork",
        "dilated": "isthmus.networks.dilated:Dilated",
        "recurrent": "isthmus.networks.recurrent:Recurrent",
        "vit": "isthmus.networks.vit:ViT",
    },
    base="isthmus.networks.base:Network",
)

INITIALIZATIONS = Registry(
    "initialization",
    {
        "glorot": "isthmus.networks.initialization:Glorot",
        "torch": "isthmus.networks.initialization:TorchDefault",
    },
    base="isthmus.networks.initialization:Initialization",
)

LIKELIHOODS = Registry(
    "likelihood",
    {
        "bernoulli": "isthmus.likelihoods.bernoulli:Bernoulli",
        "columns": "isthmus.likelihoods.columns:Columns",
        "gaussian": "isthmus.likelihoods.gaussian:Gaussian",
        "logistic-mixture": "isthmus.likelihoods.logistic_mixture:LogisticMixture",
        "mse": "isthmus.likelihoods.gaussian:SquaredError",
        "negative-binomial": "isthmus.likelihoods.negative_binomial:NegativeBinomial",
        "poisson": "isthmus.likelihoods.poisson:Poisson",
        "spectral": "isthmus.likelihoods.spectral:Spectral",
    },
    base="isthmus.likelihoods.base:LikelihoodPart",
)

QUANTIZERS = Registry(
    "quantizer",
    {
        "vq": "isthmus.quantizers.vector:VectorQuantizer",
        "fsq": "isthmus.quantizers.finite:FSQ",
        "residual": "isthmus.quantizers.residual:ResidualVQ",
        "product": "isthmus.quantizers.product:ProductVQ",
        "lfq": "isthmus.quantizers.lookup_free:LFQ",
    },
    base="isthmus.quantizers.base:QuantizerPart",
)

POSTERIORS = Registry(
    "posterior",
    {
        "diagonal": "isthmus.posteriors.gaussian:Diagonal",
        "full": "isthmus.posteriors.gaussian:Full",
        "planar": "isthmus.posteriors.flows:Planar",
        "iaf": "isthmus.posteriors.flows:IAF",
    },
    base="isthmus.posteriors.base:PosteriorPart",
)

LATENT_PRIORS = Registry(
    "latent prior",
    {
        "standard": "isthmus.latent_priors.gaussian:StandardNormal",
        "mixture": "isthmus.latent_priors.gaussian:GaussianMixture",
        "vampprior": "isthmus.latent_priors.vampprior:VampPrior",
        "flow": "isthmus.latent_priors.flow:FlowPrior",
    },
    base="isthmus.latent_priors.base:LatentPriorPart",
)

GEOMETRIES = Registry(
    "geometry",
    {
        "sphere": "isthmus.geometries.sphere:Sphere",
        "poincare": "isthmus.geometries.poincare:Poincare",
    },
    base="isthmus.geometries.base:Geometry",
)

SPARSITIES = Registry(
    "sparsity",
    {
        "topk": "isthmus.sparsities.largest:TopK",
        "batch-topk": "isthmus.sparsities.largest:BatchTopK",
        "jumprelu": "isthmus.sparsities.penalised:JumpReLU",
        "gated": "isthmus.sparsities.penalised:Gated",
        "l1": "isthmus.sparsities.penalised:L1",
    },
    base="isthmus.sparsities.base:SparsityPart",
)

CORRUPTIONS = Registry(
    "corruption",
    {
        "gaussian": "isthmus.corruptions:GaussianNoise",
        "masking": "isthmus.corruptions:Masking",
        "salt-and-pepper": "isthmus.corruptions:SaltAndPepper",
        "affine": "isthmus.corruptions:RandomAffine",
    },
    base="isthmus.corruptions:Corruption",
)

JUDGES = Registry(
    "judge",
    {
        "perceptual": "isthmus.judges.parts:Perceptual",
        "patch": "isthmus.judges.parts:PatchAdversary",
        "vqgan": "isthmus.judges.parts:VQGAN",
    },
    base="isthmus.judges.parts:Judge",
)

OPTIMIZERS = Registry(
    "optimizer",
    {
        "adam": "isthmus.training.optimizers:Adam",
        "adamw": "isthmus.training.optimizers:AdamW",
        "sgd": "isthmus.training.optimizers:SGD",
    },
    base="isthmus.training.optimizers:OptimizerPart",
)

SCHEDULES = Registry(
    "schedule",
    {
        "constant": "isthmus.training.schedules:Constant",
        "cosine": "isthmus.training.schedules:Cosine",
        "linear": "isthmus.training.schedules:Linear",
    },
    base="isthmus.training.schedules:Schedule",
)

PRIORS = Registry(
    "prior",
    {
        "mixture": "isthmus.priors.mixture:Mixture",
        "flow": "isthmus.priors.flow:Flow",
        "two-stage": "isthmus.priors.two_stage:TwoStage",
        "diffusion": "isthmus.priors.diffusion:Diffusion",
        "pixelcnn": "isthmus.priors.pixelcnn:PixelCNN",
        "transformer": "isthmus.priors.transformer:Transformer",
        "masked": "isthmus.priors.masked:Masked",
    },
    base="isthmus.priors.base:Prior",
)

CALLBACKS = Registry(
    "callback",
    {
        "tensorboard": "isthmus.training.callbacks.loggers:TensorBoard",
        "trackio": "isthmus.training.callbacks.loggers:Trackio",
        "mlflow": "isthmus.training.callbacks.loggers:MLflow",
        "wandb": "isthmus.training.callbacks.loggers:WandB",
        "optuna": "isthmus.training.callbacks.stopping:OptunaPruning",
    },
)

DATA = Registry(
    "data set",
    {
        "digits": "isthmus.data._sources.embedded:digits",
        "shapes": "isthmus.data._sources.shapes:shapes",
        "mnist": "isthmus.data._sources.downloads:mnist",
        "fashion-mnist": "isthmus.data._sources.downloads:fashion_mnist",
        "kmnist": "isthmus.data._sources.downloads:kmnist",
        "cifar10": "isthmus.data._sources.downloads:cifar10",
    },
)

FIGURES = Registry(
    "figure",
    {
        "curves": "isthmus.figures._training:curves",
        "plane": "isthmus.figures._codes:plane",
        "grid": "isthmus.figures._grid:grid",
        "reconstructions": "isthmus.figures._decoded:reconstructions",
        "samples": "isthmus.figures._decoded:samples",
        "denoising_path": "isthmus.figures._denoising:denoising_path",
        "styles": "isthmus.figures._decoded:styles",
        "walk": "isthmus.figures._decoded:walk",
        "outliers": "isthmus.figures._outliers:outliers",
        "explanation": "isthmus.figures._explanation:explanation",
        "series_outliers": "isthmus.figures._series:series_outliers",
        "spectrograms": "isthmus.figures._sounds:spectrograms",
        "waveforms": "isthmus.figures._sounds:waveforms",
        "evolution": "isthmus.figures._evolution:evolution",
    },
)
