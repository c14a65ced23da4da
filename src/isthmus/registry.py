"""The one place where members, networks, likelihoods, priors, callbacks, data sets and
figures are found by name.

A registration is a line that maps a name to ``"module:attribute"``; nothing is imported until it is
asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from isthmus.errors import InputError, unknown


class Registry(Mapping[str, Any]):
    """Names of one kind of thing, imported at the first look-up.

    ``registry["vae"]`` gives the object; ``registry.add(name, "package.module:Attribute")`` adds
    one of your own. A miss raises :class:`~isthmus.errors.InputError`, which lists the known names,
    the nearest first.
    """

    def __init__(self, kind: str, targets: Mapping[str, str]) -> None:
        self.kind = kind
        self._targets = dict(targets)

    def add(self, name: str, target: str) -> None:
        """Register ``target`` ("module:attribute") under a name that is still free."""
        if name in self._targets:
            raise InputError(
                f"{self.kind} {name!r} is registered already, as {self._targets[name]}: choose"
                " another name."
            )
        if target.count(":") != 1:
            raise InputError(
                f"{self.kind} {name!r}: the target {target!r} must read 'module:attribute'."
            )
        self._targets[name] = target

    def target(self, name: str) -> str:
        """Where a name points to, as ``"module:attribute"``, without importing it."""
        if name not in self._targets:
            raise unknown(self.kind, name, self._targets)
        return self._targets[name]

    def name_of(self, cls: type) -> str:
        """The name under which a member's or a prior's class is registered."""
        wanted = f"{cls.__module__}:{cls.__qualname__}"
        for name, target in self._targets.items():
            if target == wanted:
                return name
        raise InputError(
            f"{cls.__qualname__} is not registered, so a run of it could not be loaded: call"
            f" isthmus.registry.{self.kind.upper()}S.add('{cls.__name__.lower()}', '{wanted}')"
            " first."
        )

    def __getitem__(self, name: str) -> Any:
        module, attribute = self.target(name).split(":")
        return getattr(import_module(module), attribute)

    def __contains__(self, name: object) -> bool:
        return name in self._targets

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def __len__(self) -> int:
        return len(self._targets)


MEMBERS = Registry(
    "member",
    {
        "ae": "isthmus.models.ae:AE",
        "stacked": "isthmus.models.stacked:StackedAE",
        "vae": "isthmus.models.vae:VAE",
        "betatc": "isthmus.models.betatc:BetaTCVAE",
        "iwae": "isthmus.models.iwae:IWAE",
        "nvae": "isthmus.models.nvae:NVAE",
        "sparse": "isthmus.models.sparse:SparseAE",
        "denoising": "isthmus.models.denoising:DenoisingAE",
        "contractive": "isthmus.models.contractive:ContractiveAE",
        "aae": "isthmus.models.aae:AAE",
        "wae": "isthmus.models.wae:WAE",
        "clustering": "isthmus.models.clustering:ClusteringAE",
        "recurrent": "isthmus.models.recurrent:RecurrentAE",
        "vqvae": "isthmus.models.vqvae:VQVAE",
        "vqvae2": "isthmus.models.vqvae2:VQVAE2",
    },
)

NETWORKS = Registry(
    "network",
    {
        "mlp": "isthmus.networks.mlp:MLP",
        "conv": "isthmus.networks.conv:Conv",
        "residual": "isthmus.networks.residual:Residual",
        "recurrent": "isthmus.networks.recurrent:Recurrent",
    },
)

LIKELIHOODS = Registry(
    "likelihood",
    {
        "bernoulli": "isthmus.likelihoods.bernoulli:Bernoulli",
        "gaussian": "isthmus.likelihoods.gaussian:Gaussian",
        "mse": "isthmus.likelihoods.gaussian:SquaredError",
    },
)

PRIORS = Registry(
    "prior",
    {
        "mixture": "isthmus.priors.mixture:Mixture",
        "flow": "isthmus.priors.flow:Flow",
        "pixelcnn": "isthmus.priors.pixelcnn:PixelCNN",
    },
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
        "grid": "isthmus.figures._decoded:grid",
        "reconstructions": "isthmus.figures._decoded:reconstructions",
        "samples": "isthmus.figures._decoded:samples",
        "walk": "isthmus.figures._decoded:walk",
        "outliers": "isthmus.figures._outliers:outliers",
        "evolution": "isthmus.figures._evolution:evolution",
    },
)
