"""The public names of isthmus and their types: written by `make stubs`, not by hand."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias, overload

import numpy as np
from torch import Tensor, nn

from isthmus import compression as compression
from isthmus import corruptions as corruptions
from isthmus import data as data
from isthmus import diagnosis as diagnosis
from isthmus import divergences as divergences
from isthmus import errors as errors
from isthmus import explorer as explorer
from isthmus import figures as figures
from isthmus import geometries as geometries
from isthmus import judges as judges
from isthmus import latent_priors as latent_priors
from isthmus import likelihoods as likelihoods
from isthmus import metrics as metrics
from isthmus import models as models
from isthmus import networks as networks
from isthmus import posteriors as posteriors
from isthmus import priors as priors
from isthmus import quantizers as quantizers
from isthmus import registry as registry
from isthmus import report as report
from isthmus import sparsities as sparsities
from isthmus.compression import decompress as decompress
from isthmus.corruptions import Corruption
from isthmus.data.steps import StepScores as StepScores
from isthmus.diagnosis import Diagnosis as Diagnosis
from isthmus.diagnosis import diagnose as diagnose
from isthmus.errors import DataWarning as DataWarning
from isthmus.errors import DivergenceError as DivergenceError
from isthmus.errors import InputError as InputError
from isthmus.errors import LearningWarning as LearningWarning
from isthmus.errors import RunError as RunError
from isthmus.estimators.base import Estimator as Estimator
from isthmus.estimators.classifier import AutoencoderClassifier as _AutoencoderClassifier
from isthmus.estimators.manifold import ManifoldClustering as _ManifoldClustering
from isthmus.estimators.outliers import OutlierDetector as _OutlierDetector
from isthmus.estimators.series import score_steps as score_steps
from isthmus.estimators.series import windows_for as windows_for
from isthmus.estimators.sounds import restore_sound as restore_sound
from isthmus.estimators.tiling import Tiled as Tiled
from isthmus.explorer import explore as explore
from isthmus.geometries.base import Geometry
from isthmus.judges import Judge
from isthmus.latent_priors.base import LatentPriorPart
from isthmus.likelihoods import LikelihoodPart
from isthmus.metrics import evaluate as evaluate
from isthmus.models.aae import AAE as _AAE
from isthmus.models.ae import AE as _AE
from isthmus.models.betatc import BetaTCVAE as _BetaTCVAE
from isthmus.models.biva import BIVA as _BIVA
from isthmus.models.clustering import ClusteringAE as _ClusteringAE
from isthmus.models.contractive import ContractiveAE as _ContractiveAE
from isthmus.models.deepsvdd import DeepSVDD as _DeepSVDD
from isthmus.models.denoising import DenoisingAE as _DenoisingAE
from isthmus.models.dictionary import DictionaryAE as _DictionaryAE
from isthmus.models.dipvae import DIPVAE as _DIPVAE
from isthmus.models.factorvae import FactorVAE as _FactorVAE
from isthmus.models.hvae import HamiltonianVAE as _HamiltonianVAE
from isthmus.models.hyperprior import Hyperprior as _Hyperprior
from isthmus.models.infovae import InfoVAE as _InfoVAE
from isthmus.models.iwae import IWAE as _IWAE
from isthmus.models.ladder import LadderNetwork as _LadderNetwork
from isthmus.models.laddervae import LadderVAE as _LadderVAE
from isthmus.models.made import MADE as _MADE
from isthmus.models.masked import MaskedAE as _MaskedAE
from isthmus.models.nvae import NVAE as _NVAE
from isthmus.models.rae import RAE as _RAE
from isthmus.models.recurrent import RecurrentAE as _RecurrentAE
from isthmus.models.semiaae import SemiSupervisedAAE as _SemiSupervisedAAE
from isthmus.models.semivae import SemiSupervisedVAE as _SemiSupervisedVAE
from isthmus.models.slicedwae import SlicedWAE as _SlicedWAE
from isthmus.models.sparse import SparseAE as _SparseAE
from isthmus.models.stacked import StackedAE as _StackedAE
from isthmus.models.vade import VaDE as _VaDE
from isthmus.models.vae import VAE as _VAE
from isthmus.models.vaegan import VAEGAN as _VAEGAN
from isthmus.models.vqvae import VQVAE as _VQVAE
from isthmus.models.vqvae2 import VQVAE2 as _VQVAE2
from isthmus.models.wae import WAE as _WAE
from isthmus.networks import Initialization, Network
from isthmus.posteriors.base import PosteriorPart
from isthmus.quantizers.base import QuantizerPart
from isthmus.registry import MEMBERS as MEMBERS
from isthmus.registry import PRIORS as PRIORS
from isthmus.report import Comparison as Comparison
from isthmus.report import LabelCurves as LabelCurves
from isthmus.report import compare as compare
from isthmus.report import label_curves as label_curves
from isthmus.sparsities import SparsityPart
from isthmus.training.callbacks.base import Callbacks
from isthmus.training.optimizers import OptimizerPart
from isthmus.training.schedules import Schedule
from isthmus.version import __version__ as __version__

__all__ = [
    "AAE",
    "AE",
    "BIVA",
    "DIPVAE",
    "IWAE",
    "MADE",
    "MEMBERS",
    "NVAE",
    "PRIORS",
    "RAE",
    "VAE",
    "VAEGAN",
    "VQVAE",
    "VQVAE2",
    "WAE",
    "AutoencoderClassifier",
    "BetaTCVAE",
    "ClusteringAE",
    "Comparison",
    "ContractiveAE",
    "DataWarning",
    "DeepSVDD",
    "DenoisingAE",
    "Diagnosis",
    "DictionaryAE",
    "DivergenceError",
    "Estimator",
    "FactorVAE",
    "HamiltonianVAE",
    "Hyperprior",
    "InfoVAE",
    "InputError",
    "LabelCurves",
    "LadderNetwork",
    "LadderVAE",
    "LearningWarning",
    "ManifoldClustering",
    "MaskedAE",
    "OutlierDetector",
    "RecurrentAE",
    "RunError",
    "SemiSupervisedAAE",
    "SemiSupervisedVAE",
    "SlicedWAE",
    "SparseAE",
    "StackedAE",
    "StepScores",
    "Tiled",
    "VaDE",
    "__version__",
    "compare",
    "compression",
    "corruptions",
    "data",
    "decompress",
    "diagnose",
    "diagnosis",
    "divergences",
    "errors",
    "evaluate",
    "explore",
    "explorer",
    "figures",
    "geometries",
    "judges",
    "label_curves",
    "latent_priors",
    "likelihoods",
    "load",
    "metrics",
    "models",
    "networks",
    "posteriors",
    "priors",
    "quantizers",
    "registry",
    "report",
    "restore_sound",
    "score_steps",
    "sparsities",
    "windows_for",
]

_Activation: TypeAlias = Literal[
    "relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "linear"
]
_Binarize: TypeAlias = Literal["none", "dynamic"]
_Channels: TypeAlias = Literal["auto", "first", "last"]
_Code: TypeAlias = Literal["vector", "map"]
_CodeActivation: TypeAlias = Literal["linear", "sigmoid", "tanh", "relu"]
_Condition: TypeAlias = Literal["none", "label", "covariates"]
_Contamination: TypeAlias = Literal["auto"]
_Corruption: TypeAlias = Literal["gaussian", "masking", "salt-and-pepper", "affine"]
_Criterion: TypeAlias = Literal["auto", "error", "density", "score", "distance"]
_DIPVAE_Variant: TypeAlias = Literal["i", "ii"]
_Geometry: TypeAlias = Literal["euclidean", "sphere", "poincare"]
_Initialization: TypeAlias = Literal["glorot", "torch"]
_Jacobian: TypeAlias = Literal["auto", "exact", "hutchinson"]
_Judge: TypeAlias = Literal["perceptual", "patch", "vqgan"]
_Kind: TypeAlias = Literal["auto", "vector", "image", "signal", "sequence", "table"]
_LatentPrior: TypeAlias = Literal["standard", "mixture", "vampprior", "flow"]
_Likelihood: TypeAlias = Literal[
    "auto",
    "bernoulli",
    "columns",
    "gaussian",
    "logistic-mixture",
    "mse",
    "negative-binomial",
    "poisson",
    "spectral",
]
_MADE_Network: TypeAlias = Literal["mlp", "conv", "residual", "gdn", "dilated", "recurrent", "vit"]
_Manifold: TypeAlias = Literal["umap", "isomap"]
_Network: TypeAlias = Literal[
    "auto", "mlp", "conv", "residual", "gdn", "dilated", "recurrent", "vit"
]
_Optimizer: TypeAlias = Literal["adam", "adamw", "sgd"]
_Posterior: TypeAlias = Literal["diagonal", "full", "planar", "iaf"]
_Precision: TypeAlias = Literal["float32", "tf32", "bfloat16"]
_Quantizer: TypeAlias = Literal["vq", "fsq", "residual", "product", "lfq"]
_Scaling: TypeAlias = Literal["auto", "none", "standard", "minmax", "robust", "quantile", "rms"]
_Schedule: TypeAlias = Literal["constant", "cosine", "linear"]
_SparseAE_Sparsity: TypeAlias = Literal["l1", "kl", "topk"]
_Sparsity: TypeAlias = Literal["topk", "batch-topk", "jumprelu", "gated", "l1"]
_Variant: TypeAlias = Literal["dec", "idec"]

class AAE(_AAE):
    """Adversarial autoencoder: a critic makes the distribution of the codes match N(0, I).

    Args:
        condition: what encoder and decoder are told of each example beside x, from y of fit(X,
            y): its label, or covariates.
        code: 'map' keeps the places of an image or a signal: the code is a grid of vectors,
            each of latent_dim numbers (or channels).
        adversary_weight: weight of fooling the critic (lambda).
        critic_hidden: units of the critic's hidden layers.
        critic_learning_rate: step size of the critic; none: that of the autoencoder.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int | None = None,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        condition: _Condition = "none",
        code: _Code = "vector",
        adversary_weight: float = 1.0,
        critic_hidden: tuple[int, ...] = (128, 128),
        critic_learning_rate: float | None = None,
    ) -> None: ...

class AE(_AE):
    """Autoencoder: encode x to a code, decode the code, and make the reconstruction close to x.

    Args:
        code_activation: what the code passes through: 'sigmoid' puts it into the unit square,
            'tanh' into [-1, 1], 'relu' makes it at least 0.
        tied: whether the decoder uses the encoder's weights, transposed.
        code: 'map' keeps the places of an image or a signal: the code is a grid of vectors,
            each of latent_dim numbers (or channels).
        judge: who judges reconstructions beside the likelihood: the features of a classifier
            (perceptual), an adversary that looks at patches (patch), or both (vqgan).
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int | None = None,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        code_activation: _CodeActivation = "linear",
        tied: bool = False,
        code: _Code = "vector",
        judge: _Judge | Judge | None = None,
    ) -> None: ...

class AutoencoderClassifier(_AutoencoderClassifier):
    """Classifier that starts from an autoencoder's code.

    Args:
        member: the autoencoder that is pretrained: an estimator, the name of a member, or a
            FrozenEstimator around a trained one.
        freeze: whether the encoder stays as pretraining left it.
        n_labels: how many labels are used, drawn, as many of each class; none: all of them.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        member: Estimator | str = "ae",
        freeze: bool = False,
        n_labels: int | None = None,
    ) -> None: ...

class BIVA(_BIVA):
    """Bidirectional-inference variational autoencoder: half of each group is drawn on the way up.

    Args:
        condition: what encoder and decoder are told of each example beside x, from y of fit(X,
            y): its label, or covariates.
        beta: weight of the rate, KL(q(z|x) || p(z)); 1 is the evidence bound.
        kl_warmup: epochs over which the weight of the rate grows from 0 to beta; none: three
            tenths of all.
        groups: groups of codes at each scale, from the coarsest.
        width: channels of both towers at the finest scale; they double from scale to scale.
        cells: residual cells before each group, in either tower.
        expansion: how much wider the inside of a generative cell is.
        spectral_weight: weight of the largest singular value of every convolution, summed
            (lambda); 0.01 as published.
        spectral_start: that weight at the start, from which it falls while kl_warmup lasts; 1
            as published of large images; none: spectral_weight throughout.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int | None = None,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        condition: _Condition = "none",
        beta: float = 1.0,
        kl_warmup: float | None = None,
        groups: tuple[int, ...] = (2, 2),
        width: int = 32,
        cells: int = 1,
        expansion: int = 3,
        spectral_weight: float = 0.0,
        spectral_start: float | None = None,
    ) -> None: ...

class BetaTCVAE(_BetaTCVAE):
    """β-TC-VAE: a VAE with the weight β on the total correlation of its code.

    Args:
        latent_dim: size of the code.
        condition: what encoder and decoder are told of each example beside x, from y of fit(X,
            y): its label, or covariates.
        code: 'map' keeps the places of an image or a signal: the code is a grid of vectors,
            each of latent_dim numbers (or channels).
        beta: weight of the total correlation; 1 is the evidence bound.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int = 10,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        condition: _Condition = "none",
        code: _Code = "vector",
        beta: float = 6.0,
    ) -> None: ...

class ClusteringAE(_ClusteringAE):
    """Clustering autoencoder (DEC, IDEC): codes are drawn to centres by their confident guesses.

    Args:
        latent_dim: size of the code.
        start: a trained autoencoder with the same networks to start from, in place of
            pretraining: the member itself, or where its run lies.
        n_clusters: how many centres.
        variant: 'dec' drops the reconstruction after pretraining, 'idec' keeps it.
        clustering_weight: weight of the clustering loss beside the reconstruction, under idec
            (gamma); none: 0.1 for each number of an example, the paper's beside a sum (78.4 for
            28×28 pixels).
        pretrain_epochs: epochs as a plain autoencoder before there are centres; none under
            start.
        whiten: whether codes become uncorrelated, with unit variance, before there are centres.
        corruption: what is done to examples before they are encoded in training;
            reconstructions and targets are those of clean ones.
        target_interval: epochs for which targets stand still; 0: every batch makes its own.
        clustering_optimizer: how weights are updated once there are centres; none: as before.
        clustering_rate: step size once there are centres; none: learning_rate.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int = 10,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        start: Estimator | str | None = None,
        n_clusters: int = 8,
        variant: _Variant = "dec",
        clustering_weight: float | None = None,
        pretrain_epochs: int = 30,
        whiten: bool = False,
        corruption: _Corruption | Corruption | Callable[[Tensor], Tensor] | None = None,
        target_interval: int = 1,
        clustering_optimizer: _Optimizer | OptimizerPart | None = None,
        clustering_rate: float | None = None,
    ) -> None: ...

class ContractiveAE(_ContractiveAE):
    """Contractive autoencoder: penalises the derivative of the code with respect to x.

    Args:
        tied: whether the decoder uses the encoder's weights, transposed.
        code: 'map' keeps the places of an image or a signal: the code is a grid of vectors,
            each of latent_dim numbers (or channels).
        contraction: weight of the squared norm of the encoder's Jacobian (lambda).
        jacobian: how the norm is computed; 'auto' is exact up to 16 dimensions of the code.
        probes: random projections behind the hutchinson estimate.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int | None = None,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        tied: bool = False,
        code: _Code = "vector",
        contraction: float = 0.1,
        jacobian: _Jacobian = "auto",
        probes: int = 1,
    ) -> None: ...

class DIPVAE(_DIPVAE):
    """DIP-VAE: a VAE whose inferred prior, the codes of all examples, has a diagonal covariance.

    Args:
        latent_dim: size of the code.
        condition: what encoder and decoder are told of each example beside x, from y of fit(X,
            y): its label, or covariates.
        code: 'map' keeps the places of an image or a signal: the code is a grid of vectors,
            each of latent_dim numbers (or channels).
        variant: whose covariance: of the means ('i'), or of codes ('ii').
        covariance_weight: weight of the squared covariances of two dimensions (lambda_od).
        variance_weight: weight of how far variances are from 1, squared (lambda_d).
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int = 10,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        condition: _Condition = "none",
        code: _Code = "vector",
        variant: _DIPVAE_Variant = "ii",
        covariance_weight: float = 10.0,
        variance_weight: float = 10.0,
    ) -> None: ...

class DeepSVDD(_DeepSVDD):
    """Deep support vector data description: maps typical examples close to a centre.

    Args:
        weight_decay: weight decay of the optimiser.
        latent_dim: size of the code.
        pretrain_epochs: epochs as a plain autoencoder before there is a centre.
        closing_rate: step size of the encoder once there is a centre, in place of
            learning_rate.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 1e-06,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int = 32,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        pretrain_epochs: int = 10,
        closing_rate: float = 0.0001,
    ) -> None: ...

class DenoisingAE(_DenoisingAE):
    """Denoising autoencoder: x is corrupted before it is encoded, and the target is the clean x.

    Args:
        latent_dim: size of the code.
        code_activation: what the code passes through: 'sigmoid' puts it into the unit square,
            'tanh' into [-1, 1], 'relu' makes it at least 0.
        tied: whether the decoder uses the encoder's weights, transposed.
        code: 'map' keeps the places of an image or a signal: the code is a grid of vectors,
            each of latent_dim numbers (or channels).
        judge: who judges reconstructions beside the likelihood: the features of a classifier
            (perceptual), an adversary that looks at patches (patch), or both (vqgan).
        corruption: how examples are damaged; or, in Python, a function of your own from a batch
            (n, *shape) to a damaged one.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int = 32,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        code_activation: _CodeActivation = "linear",
        tied: bool = False,
        code: _Code = "vector",
        judge: _Judge | Judge | None = None,
        corruption: _Corruption | Corruption | Callable[[Tensor], Tensor] = "gaussian",
    ) -> None: ...

class DictionaryAE(_DictionaryAE):
    """Dictionary: x as a sum of few atoms out of many, as sparse autoencoders of language models.

    Args:
        latent_dim: units of the dictionary, often several times the columns.
        hidden: units of hidden layers in front of the units; none of them: a linear encoder.
        network: kind of network in front of the units.
        sparsity: which units an example uses.
        prefixes: numbers of first units that must reconstruct x by themselves too (Matryoshka).
        inputs: columns that are read, the first ones, where the others are to be predicted
            (transcoder); none: all are read and reconstructed.
        auxiliary_weight: weight of what dead units learn to reconstruct.
        auxiliary_units: dead units that an example uses for that.
        dead_after: examples without activity after which a unit is dead.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int = 256,
        hidden: tuple[int, ...] | None = (),
        network: _Network | Network = "mlp",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        sparsity: _Sparsity | SparsityPart = "topk",
        prefixes: tuple[int, ...] = (),
        inputs: int | None = None,
        auxiliary_weight: float = 0.03125,
        auxiliary_units: int = 64,
        dead_after: int = 10000,
    ) -> None: ...

class FactorVAE(_FactorVAE):
    """FactorVAE: a VAE that is charged for the total correlation of its code, told by a critic.

    Args:
        latent_dim: size of the code.
        condition: what encoder and decoder are told of each example beside x, from y of fit(X,
            y): its label, or covariates.
        code: 'map' keeps the places of an image or a signal: the code is a grid of vectors,
            each of latent_dim numbers (or channels).
        gamma: weight of the total correlation beside the evidence bound; 0 is the VAE.
        critic_hidden: units of the critic's hidden layers; the paper has six of 1000.
        critic_learning_rate: step size of the critic; none: that of the autoencoder.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int = 10,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        condition: _Condition = "none",
        code: _Code = "vector",
        gamma: float = 10.0,
        critic_hidden: tuple[int, ...] = (256, 256),
        critic_learning_rate: float | None = None,
    ) -> None: ...

class HamiltonianVAE(_HamiltonianVAE):
    """Hamiltonian VAE: codes drawn by the encoder are moved by the likelihood of their example.

    Args:
        condition: what encoder and decoder are told of each example beside x, from y of fit(X,
            y): its label, or covariates.
        code: 'map' keeps the places of an image or a signal: the code is a grid of vectors,
            each of latent_dim numbers (or channels).
        steps: leapfrog steps of a draw (K).
        step_size: step size at the start, which is learnt (epsilon).
        tempering: how hot it starts: beta_0 at the start, which is learnt; near 1 is not.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int | None = None,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        condition: _Condition = "none",
        code: _Code = "vector",
        steps: int = 3,
        step_size: float = 0.05,
        tempering: float = 0.5,
    ) -> None: ...

class Hyperprior(_Hyperprior):
    """Scale hyperprior: a code of whole numbers that is cheap to write into a file, by rates.

    Args:
        latent_dim: channels of the code y, at every place of its grid.
        hyper_channels: channels of the code z, which says the scales of y.
        distortion_weights: weights λ of the distortion beside the rate; one model is trained
            for all of them.
        quality: which of distortion_weights codes are made for after training, counted from 0;
            none: the last.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int = 128,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        hyper_channels: int = 64,
        distortion_weights: tuple[int, ...] = (30, 100, 300, 1000),
        quality: int | None = None,
    ) -> None: ...

class IWAE(_IWAE):
    """Importance-weighted autoencoder: a VAE trained on a tighter bound, from k draws of the code.

    Args:
        condition: what encoder and decoder are told of each example beside x, from y of fit(X,
            y): its label, or covariates.
        code: 'map' keeps the places of an image or a signal: the code is a grid of vectors,
            each of latent_dim numbers (or channels).
        posterior: the family of q(z|x): a Gaussian with a diagonal or a full covariance, or one
            that planar or inverse autoregressive flows bend.
        latent_prior: p(z): the standard normal, or, learnt with the weights, a mixture, the
            VampPrior, a flow.
        geometry: where codes live: among vectors, on the unit sphere, or in the Poincaré ball,
            each of which has a posterior and a prior of its own.
        samples: draws of the code behind one bound (k).
        repeats: bounds of so many draws, of which the mean is taken (M).
        split: whether the decoder is trained on one bound of all samples times repeats draws,
            and the encoder alone on the mean of repeats.
        mixing: share of the evidence bound, of a single draw, in the objective (beta).
        kl_warmup: epochs over which the exponent of p(z) / q(z|x) in the weights grows from 0
            to 1.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int | None = None,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        condition: _Condition = "none",
        code: _Code = "vector",
        posterior: _Posterior | PosteriorPart = "diagonal",
        latent_prior: _LatentPrior | LatentPriorPart = "standard",
        geometry: _Geometry | Geometry = "euclidean",
        samples: int = 5,
        repeats: int = 1,
        split: bool = False,
        mixing: float = 0.0,
        kl_warmup: float = 0.0,
    ) -> None: ...

class InfoVAE(_InfoVAE):
    """InfoVAE: a VAE that keeps what a code says of its example, and matches the prior by MMD.

    Args:
        condition: what encoder and decoder are told of each example beside x, from y of fit(X,
            y): its label, or covariates.
        code: 'map' keeps the places of an image or a signal: the code is a grid of vectors,
            each of latent_dim numbers (or channels).
        alpha: how much of the information of a code is not charged; 0 is a VAE's rate.
        mmd_weight: weight of the gap between codes as a whole and the prior (lambda).
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int | None = None,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        condition: _Condition = "none",
        code: _Code = "vector",
        alpha: float = 0.5,
        mmd_weight: float = 10.0,
    ) -> None: ...

class LadderNetwork(_LadderNetwork):
    """Ladder network: a noisy encoder learns classes, and a decoder takes its noise away, layer by
    layer, from what each layer itself saw and what those above say of it.

    Args:
        latent_dim: size of the code, the layer below the classes.
        n_labels: how many labels are used, drawn, as many of each class; none: all of them.
        labelled_share: share of labelled examples in a batch, where there are so many.
        label_weight: weight of the cross-entropy of the labelled examples, in nats.
        noise: standard deviation of the noise on x and on every layer.
        denoising_weights: weights of the denoising costs, each the mean over the units of a
            layer, from x up; the last is that of all layers above (lambda).
        reconstruction_weight: weight of -log p(x|z) of the code alone; 0 as published.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int = 64,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        n_labels: int | None = None,
        labelled_share: float = 0.5,
        label_weight: float = 1.0,
        noise: float = 0.3,
        denoising_weights: tuple[float, ...] = (1000.0, 10.0, 0.1),
        reconstruction_weight: float = 1.0,
    ) -> None: ...

class LadderVAE(_LadderVAE):
    """Ladder variational autoencoder: layers of codes, whose posteriors the priors correct.

    Args:
        condition: what encoder and decoder are told of each example beside x, from y of fit(X,
            y): its label, or covariates.
        beta: weight of the rate, KL(q(z|x) || p(z)); 1 is the evidence bound.
        kl_warmup: epochs over which the weight of the rate grows from 0 to beta; none: three
            tenths of all.
        layers: layers of codes.
        width: units beside the uppermost code; twice as many at each layer below.
        batch_norm: whether units are normalised over their batch between layers, as published.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int | None = None,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        condition: _Condition = "none",
        beta: float = 1.0,
        kl_warmup: float | None = None,
        layers: int = 3,
        width: int = 32,
        batch_norm: bool = True,
    ) -> None: ...

class MADE(_MADE):
    """Masked autoencoder for distribution estimation: each value is predicted from those before.

    Args:
        latent_dim: units of the last hidden layer, which are the code.
        network: kind of network; a fully connected one, whose weights are masked.
        orderings: orders of the values that the network learns.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int = 256,
        hidden: tuple[int, ...] | None = None,
        network: _MADE_Network | Network = "mlp",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        orderings: int = 1,
    ) -> None: ...

class ManifoldClustering(_ManifoldClustering):
    """Clusters in a map of an autoencoder's codes that keeps neighbours together (N2D).

    Args:
        member: the autoencoder whose codes are taken: an estimator, the name of a member, or a
            FrozenEstimator around a trained one.
        n_clusters: how many clusters.
        manifold: what unfolds the codes.
        neighbours: codes beside each that are kept near it.
        dimensions: of the map; none: as many as clusters.
        whiten: whether codes become uncorrelated, with unit variance, before they are unfolded.
        random_state: seed; the same seed gives the same numbers.
    """
    def __init__(
        self,
        member: Estimator | str = "ae",
        n_clusters: int = 8,
        manifold: _Manifold = "umap",
        neighbours: int = 20,
        dimensions: int | None = None,
        whiten: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None: ...

class MaskedAE(_MaskedAE):
    """Masked autoencoder (MAE): most patches are hidden, and predicted from the few that are not.

    Args:
        latent_dim: size of the code; none: the channels of the last block, for a table at most
            16.
        network: kind of network; one that cuts examples into patches.
        activation: nonlinearity in the blocks.
        mask_ratio: share of the patches that is hidden, at least one and not all.
        normalise_patches: whether the values of a hidden patch are predicted less their mean
            and over their deviation, by the squared error.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int | None = None,
        hidden: tuple[int, ...] | None = None,
        network: _MADE_Network | Network = "vit",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "gelu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        mask_ratio: float = 0.75,
        normalise_patches: bool = False,
    ) -> None: ...

class NVAE(_NVAE):
    """Nouveau variational autoencoder: Gaussian codes at several scales, each given coarser ones.

    Args:
        condition: what encoder and decoder are told of each example beside x, from y of fit(X,
            y): its label, or covariates.
        beta: weight of the rate, KL(q(z|x) || p(z)); 1 is the evidence bound.
        kl_warmup: epochs over which the weight of the rate grows from 0 to beta; none: three
            tenths of all.
        groups: groups of codes at each scale, from the coarsest.
        width: channels of both towers at the finest scale; they double from scale to scale.
        cells: residual cells before each group, in either tower.
        expansion: how much wider the inside of a generative cell is.
        spectral_weight: weight of the largest singular value of every convolution, summed
            (lambda); 0.01 as published.
        spectral_start: that weight at the start, from which it falls while kl_warmup lasts; 1
            as published of large images; none: spectral_weight throughout.
        balanced: whether groups are kept at similar rates while kl_warmup lasts.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int | None = None,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        condition: _Condition = "none",
        beta: float = 1.0,
        kl_warmup: float | None = None,
        groups: tuple[int, ...] = (2, 2),
        width: int = 32,
        cells: int = 1,
        expansion: int = 3,
        spectral_weight: float = 0.0,
        spectral_start: float | None = None,
        balanced: bool = True,
    ) -> None: ...

class OutlierDetector(_OutlierDetector):
    """Tells examples that are unlike those it was fitted on: a member rebuilds them badly.

    Args:
        member: the member that learns what is typical: 'auto' for what suits the data, an
            estimator, or a registered name.
        contamination: share of the examples that are outliers; 'auto' draws the line 1.5
            quartile distances below the lower one.
        criterion: what an example is judged by: its squared error; how far residual, code and
            the values themselves lie from where they are dense; the member's own score, a bound
            in nats for a VAE; the distance of its code from the centre; 'auto' is density for
            rows of numbers, error for others, and distance for DeepSVDD.
        random_state: seed of the members that have none of their own.
    """
    def __init__(
        self,
        member: Estimator | str = "auto",
        *,
        contamination: float | _Contamination = "auto",
        criterion: _Criterion = "auto",
        random_state: int | None = None,
    ) -> None: ...

class RAE(_RAE):
    """Regularised autoencoder: short codes and a smooth decoder, so that codes can be drawn.

    Args:
        latent_dim: size of the code.
        code: 'map' keeps the places of an image or a signal: the code is a grid of vectors,
            each of latent_dim numbers (or channels).
        code_weight: weight of half the squared length of a code (beta).
        decoder_norm_weight: weight of the squared length of the decoder's weights (lambda of
            RAE-L2).
        gradient_weight: weight of the squared norm of the decoder's Jacobian (lambda of
            RAE-GP).
        spectral_norm: whether each layer of the decoder has weights of spectral norm 1
            (RAE-SN).
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int = 16,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        code: _Code = "vector",
        code_weight: float = 0.01,
        decoder_norm_weight: float = 0.001,
        gradient_weight: float = 0.0,
        spectral_norm: bool = False,
    ) -> None: ...

class RecurrentAE(_RecurrentAE):
    """Recurrent autoencoder: one network reads a sequence, another writes it again from the code.

    Args:
        latent_dim: size of the code.
        network: kind of network; a recurrent one.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int = 16,
        hidden: tuple[int, ...] | None = None,
        network: _MADE_Network | Network = "recurrent",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
    ) -> None: ...

class SemiSupervisedAAE(_SemiSupervisedAAE):
    """Semi-supervised adversarial autoencoder: critics make the style normal and the class one of
    several, as often as the others.

    Args:
        latent_dim: size of the style z; the classes stand beside it.
        n_labels: how many labels are used, drawn, as many of each class; none: all of them.
        labelled_share: share of labelled examples in a batch, where there are so many.
        label_weight: weight of the cross-entropy of the labelled examples, in nats (alpha).
        adversary_weight: weight of fooling both critics (lambda).
        critic_hidden: units of the critics' hidden layers.
        critic_learning_rate: step size of the critics; none: that of the autoencoder.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int = 4,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        n_labels: int | None = None,
        labelled_share: float = 0.5,
        label_weight: float = 10.0,
        adversary_weight: float = 1.0,
        critic_hidden: tuple[int, ...] = (128, 128),
        critic_learning_rate: float | None = None,
    ) -> None: ...

class SemiSupervisedVAE(_SemiSupervisedVAE):
    """Semi-supervised variational autoencoder (M2): x comes from a class y and a style z.

    Args:
        latent_dim: size of the style z; the classes stand beside it.
        n_labels: how many labels are used, drawn, as many of each class; none: all of them.
        labelled_share: share of labelled examples in a batch, where there are so many.
        label_weight: weight of -log q(y|x) of the labelled examples, in nats (alpha).
        beta: weight of the rate; 1 is the evidence bound.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int = 10,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        n_labels: int | None = None,
        labelled_share: float = 0.2,
        label_weight: float = 10.0,
        beta: float = 1.0,
    ) -> None: ...

class SlicedWAE(_SlicedWAE):
    """Sliced Wasserstein autoencoder: codes match the prior along random directions.

    Args:
        condition: what encoder and decoder are told of each example beside x, from y of fit(X,
            y): its label, or covariates.
        code: 'map' keeps the places of an image or a signal: the code is a grid of vectors,
            each of latent_dim numbers (or channels).
        sliced_weight: weight of the distance between codes and prior (lambda).
        projections: random directions in each step.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int | None = None,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        condition: _Condition = "none",
        code: _Code = "vector",
        sliced_weight: float = 10.0,
        projections: int = 50,
    ) -> None: ...

class SparseAE(_SparseAE):
    """Sparse autoencoder: a code, often wider than the data, of which an example uses little.

    Args:
        latent_dim: size of the code; it may be wider than the data.
        sparsity: how the code is kept sparse.
        sparsity_weight: weight of the penalty under l1 and kl (lambda).
        target: mean activation of a unit that kl aims at (rho).
        k: units of an example that topk keeps.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int = 64,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        sparsity: _SparseAE_Sparsity = "l1",
        sparsity_weight: float = 0.1,
        target: float = 0.05,
        k: int = 8,
    ) -> None: ...

class StackedAE(_StackedAE):
    """Stacked (deep) autoencoder: greedy layer-wise pretraining, then fine-tuning of the whole.

    Args:
        code_activation: what the code passes through: 'sigmoid' puts it into the unit square,
            'tanh' into [-1, 1], 'relu' makes it at least 0.
        tied: whether the decoder uses the encoder's weights, transposed.
        pretrain_epochs: epochs for which each layer is trained by itself first; 0 for none.
        corruption: how the input of each layer is damaged while it is pretrained.
        corruption_levels: level of the corruption in each layer, from the lowest; none: the
            corruption's own.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int | None = None,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        code_activation: _CodeActivation = "linear",
        tied: bool = False,
        pretrain_epochs: int = 5,
        corruption: _Corruption | Corruption | Callable[[Tensor], Tensor] | None = None,
        corruption_levels: tuple[float, ...] | None = None,
    ) -> None: ...

class VAE(_VAE):
    """Variational autoencoder: a Gaussian posterior over the code and a standard normal prior.

    Args:
        condition: what encoder and decoder are told of each example beside x, from y of fit(X,
            y): its label, or covariates.
        code: 'map' keeps the places of an image or a signal: the code is a grid of vectors,
            each of latent_dim numbers (or channels).
        posterior: the family of q(z|x): a Gaussian with a diagonal or a full covariance, or one
            that planar or inverse autoregressive flows bend.
        latent_prior: p(z): the standard normal, or, learnt with the weights, a mixture, the
            VampPrior, a flow.
        geometry: where codes live: among vectors, on the unit sphere, or in the Poincaré ball,
            each of which has a posterior and a prior of its own.
        judge: who judges reconstructions beside the likelihood: the features of a classifier
            (perceptual), an adversary that looks at patches (patch), or both (vqgan).
        beta: weight of the rate, KL(q(z|x) || p(z)); 1 is the evidence bound.
        kl_warmup: epochs over which the weight of the rate grows from 0 to beta, or the
            capacity from 0.
        kl_cycles: how often the warm-up is done, at even distances; without kl_warmup it takes
            half of each cycle.
        capacity: nats that the rate is held to: beta, of 10 and more, then weighs the distance
            from them.
        free_bits: nats per dimension of the code that cost nothing, on the average of a batch.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int | None = None,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        condition: _Condition = "none",
        code: _Code = "vector",
        posterior: _Posterior | PosteriorPart = "diagonal",
        latent_prior: _LatentPrior | LatentPriorPart = "standard",
        geometry: _Geometry | Geometry = "euclidean",
        judge: _Judge | Judge | None = None,
        beta: float = 1.0,
        kl_warmup: float = 0.0,
        kl_cycles: int = 1,
        capacity: float | None = None,
        free_bits: float = 0.0,
    ) -> None: ...

class VAEGAN(_VAEGAN):
    """VAE-GAN: a VAE whose error is what a discriminator sees, and whose decoder plays against it.

    Args:
        latent_dim: size of the code.
        condition: what encoder and decoder are told of each example beside x, from y of fit(X,
            y): its label, or covariates.
        code: 'map' keeps the places of an image or a signal: the code is a grid of vectors,
            each of latent_dim numbers (or channels).
        beta: weight of the rate, KL(q(z|x) || p(z)).
        similarity_weight: weight of the error in the discriminator's eyes.
        adversary_weight: weight of fooling the discriminator (lambda).
        pixel_weight: weight of the distortion of the likelihood; 0 as published.
        discriminator_learning_rate: step size of the discriminator; none: that of the
            autoencoder.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int = 10,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        condition: _Condition = "none",
        code: _Code = "vector",
        beta: float = 1.0,
        similarity_weight: float = 1.0,
        adversary_weight: float = 0.1,
        pixel_weight: float = 1.0,
        discriminator_learning_rate: float | None = None,
    ) -> None: ...

class VQVAE(_VQVAE):
    """Vector-quantised autoencoder: each place of a grid holds the nearest entry of a codebook.

    Args:
        latent_dim: size of the vectors that are quantised, and of what stands for them.
        condition: what encoder and decoder are told of each example beside x, from y of fit(X,
            y): its label, or covariates.
        judge: who judges reconstructions beside the likelihood: the features of a classifier
            (perceptual), an adversary that looks at patches (patch), or both (vqgan).
        quantizer: how vectors become whole numbers.
        tokens: vectors of a code whose features are no grid: of tables, and under
            network='mlp'.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int = 16,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        condition: _Condition = "none",
        judge: _Judge | Judge | None = None,
        quantizer: _Quantizer | QuantizerPart = "vq",
        tokens: int = 8,
    ) -> None: ...

class VQVAE2(_VQVAE2):
    """Hierarchical vector-quantised autoencoder (VQ-VAE-2): grids from coarse to fine.

    Args:
        latent_dim: size of the vectors that are quantised, and of what stands for them.
        condition: what encoder and decoder are told of each example beside x, from y of fit(X,
            y): its label, or covariates.
        judge: who judges reconstructions beside the likelihood: the features of a classifier
            (perceptual), an adversary that looks at patches (patch), or both (vqgan).
        quantizer: how vectors become whole numbers.
        tokens: vectors of a code whose features are no grid: of tables, and under
            network='mlp'.
        scales: grids, from the coarsest to the finest.
        ratio: how many times fewer places along each side a level has than the next finer one;
            a power of two.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int = 16,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        condition: _Condition = "none",
        judge: _Judge | Judge | None = None,
        quantizer: _Quantizer | QuantizerPart = "vq",
        tokens: int = 8,
        scales: int = 2,
        ratio: int = 2,
    ) -> None: ...

class VaDE(_VaDE):
    """Variational deep embedding: a VAE with a Gaussian for each cluster in place of N(0, I).

    Args:
        latent_dim: size of the code.
        condition: what encoder and decoder are told of each example beside x, from y of fit(X,
            y): its label, or covariates.
        start: a trained autoencoder with the same networks to start from, in place of
            pretraining: the member itself, or where its run lies.
        n_clusters: how many clusters.
        pretrain_epochs: epochs as a plain autoencoder before there are clusters; none under
            start.
        whiten: whether codes take a linear map under which clusters are round, before there are
            any; reconstructions do not see it.
        corruption: what is done to examples before they are encoded in training; what is asked
            for are clean ones.
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int = 10,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        condition: _Condition = "none",
        start: Estimator | str | None = None,
        n_clusters: int = 8,
        pretrain_epochs: int = 30,
        whiten: bool = False,
        corruption: _Corruption | Corruption | Callable[[Tensor], Tensor] | None = None,
    ) -> None: ...

class WAE(_WAE):
    """Wasserstein autoencoder (WAE-MMD): the distribution of the codes matches the prior.

    Args:
        condition: what encoder and decoder are told of each example beside x, from y of fit(X,
            y): its label, or covariates.
        code: 'map' keeps the places of an image or a signal: the code is a grid of vectors,
            each of latent_dim numbers (or channels).
        mmd_weight: weight of the discrepancy between codes and prior (lambda).
    """
    def __init__(
        self,
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        optimizer: _Optimizer | OptimizerPart = "adam",
        learning_rate: float = 0.001,
        schedule: _Schedule | Schedule = "constant",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        device: str = "auto",
        precision: _Precision = "float32",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: Callbacks | None = None,
        verbose: int | bool = 1,
        latent_dim: int | None = None,
        hidden: tuple[int, ...] | None = None,
        network: _Network | Network = "auto",
        initialization: _Initialization | Initialization = "glorot",
        activation: _Activation = "relu",
        encoder: nn.Module | Callable[..., nn.Module] | None = None,
        decoder: nn.Module | Callable[..., nn.Module] | None = None,
        likelihood: _Likelihood | LikelihoodPart = "auto",
        kind: _Kind = "auto",
        columns: dict[str, str] | None = None,
        scaling: _Scaling = "auto",
        hide: float | None = None,
        binarize: _Binarize = "none",
        channels: int | _Channels = "auto",
        image_shape: tuple[int, ...] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        snapshots: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | None = None,
        condition: _Condition = "none",
        code: _Code = "vector",
        mmd_weight: float = 10.0,
    ) -> None: ...

@overload
def load(
    path: Literal["pretrained:ae-mnist-2d", "pretrained:course-ae"],
    *,
    networks: Mapping[str, nn.Module | Callable[..., nn.Module]] | None = None,
    trust: bool = False,
    device: str = "auto",
) -> AE:
    """Read a run that :meth:`~isthmus.estimators.base.Estimator.save` wrote: a fitted member."""

@overload
def load(
    path: Literal[
        "pretrained:course-vae",
        "pretrained:vae-digits-2d",
        "pretrained:vae-fashion",
        "pretrained:vae-mnist-2d",
    ],
    *,
    networks: Mapping[str, nn.Module | Callable[..., nn.Module]] | None = None,
    trust: bool = False,
    device: str = "auto",
) -> VAE:
    """Read a run that :meth:`~isthmus.estimators.base.Estimator.save` wrote: a fitted member."""

@overload
def load(
    path: Literal["pretrained:vqvae-mnist"],
    *,
    networks: Mapping[str, nn.Module | Callable[..., nn.Module]] | None = None,
    trust: bool = False,
    device: str = "auto",
) -> VQVAE:
    """Read a run that :meth:`~isthmus.estimators.base.Estimator.save` wrote: a fitted member."""

@overload
def load(
    path: str | Path,
    *,
    networks: Mapping[str, nn.Module | Callable[..., nn.Module]] | None = None,
    trust: bool = False,
    device: str = "auto",
) -> Estimator:
    """Read a run that :meth:`~isthmus.estimators.base.Estimator.save` wrote: a fitted member."""
