"""Trains one member of every kind, and writes where each ended. Started by torchrun, or alone."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

import isthmus as ist
from isthmus.judges import VQGAN
from isthmus.quantizers import FSQ, LFQ, ProductVQ, ResidualVQ, VectorQuantizer
from isthmus.training.distributed import choose_runtime

SHARED: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 32,  # of 97 + 1 or 98 examples, so that the last batch is small, or joins
    "random_state": 0,
    "hidden": (12,),
    "network": "mlp",
    "device": "cpu",
    "verbose": 0,
}
MEMBERS: dict[str, Any] = {
    "plain": lambda: ist.AE(**SHARED),
    "own dropout": lambda: ist.AE(**{**SHARED, "epochs": 1}, encoder=dropping),
    "vae": lambda: ist.VAE(**SHARED, kl_warmup=1.0, clip_norm=5.0, binarize="dynamic"),
    "free bits": lambda: ist.VAE(**SHARED, free_bits=0.5, ema_decay=0.9),
    "stopping": lambda: ist.VAE(
        **{**SHARED, "epochs": 10}, validation=0.3, patience=1, learning_rate=0.1
    ),
    "betatc": lambda: ist.BetaTCVAE(**SHARED, beta=3.0),
    "iwae": lambda: ist.IWAE(**SHARED, samples=3),
    "denoising": lambda: ist.DenoisingAE(**SHARED, corruption="salt-and-pepper"),
    "contractive": lambda: ist.ContractiveAE(**SHARED, jacobian="hutchinson"),
    "sparse kl": lambda: ist.SparseAE(**SHARED, sparsity="kl", latent_dim=20),
    "sparse topk": lambda: ist.SparseAE(
        **{**SHARED, "epochs": 4}, sparsity="topk", k=1, latent_dim=40
    ),
    "dictionary": lambda: ist.DictionaryAE(
        **{**SHARED, "hidden": ()}, sparsity="batch-topk", latent_dim=40, dead_after=60
    ),
    "wae": lambda: ist.WAE(**SHARED),
    "aae": lambda: ist.AAE(**SHARED, critic_hidden=(8,)),
    "factorvae": lambda: ist.FactorVAE(**SHARED, critic_hidden=(8,)),
    "dipvae": lambda: ist.DIPVAE(**SHARED),
    "infovae": lambda: ist.InfoVAE(**SHARED),
    "hvae": lambda: ist.HamiltonianVAE(**{**SHARED, "epochs": 1}, steps=2),
    "slicedwae": lambda: ist.SlicedWAE(**SHARED),
    "rae": lambda: ist.RAE(**{**SHARED, "epochs": 1}, gradient_weight=0.1),
    "vqvae": lambda: ist.VQVAE(
        **{**SHARED, "epochs": 8},
        quantizer=VectorQuantizer(24, decay=0.9),
        latent_dim=3,
        tokens=2,
    ),
    "vqvae gradient": lambda: ist.VQVAE(**SHARED, quantizer=VectorQuantizer(8, "gradient")),
    "vqvae fsq": lambda: ist.VQVAE(**SHARED, quantizer=FSQ(levels=(4, 3))),
    "vqvae lfq": lambda: ist.VQVAE(**SHARED, quantizer=LFQ(bits=4)),
    "vqvae residual": lambda: ist.VQVAE(**SHARED, quantizer=ResidualVQ(8, depth=2)),
    "vqvae product": lambda: ist.VQVAE(**SHARED, quantizer=ProductVQ(8)),
    # where normalisation undoes a bias, Adam makes steps of what is rounding
    "laddervae": lambda: ist.LadderVAE(
        **{**SHARED, "epochs": 1}, layers=2, width=8, optimizer="sgd"
    ),
    "nvae": lambda: ist.NVAE(
        **{**SHARED, "epochs": 1}, width=8, groups=(1, 1), latent_dim=1, kl_warmup=2.0
    ),
    "biva": lambda: ist.BIVA(
        **{**SHARED, "epochs": 1}, width=8, groups=(1, 1), latent_dim=1, spectral_weight=0.1
    ),
    "stacked": lambda: ist.StackedAE(**SHARED, pretrain_epochs=1, schedule="cosine"),
    "vqvae2": lambda: ist.VQVAE2(**SHARED, quantizer=VectorQuantizer(8)),
    "conditional": lambda: ist.VAE(**SHARED, condition="label"),
    "vaegan": lambda: ist.VAEGAN(**SHARED),
    "judged": lambda: ist.VAE(
        **{**SHARED, "network": "conv", "hidden": (4, 8)},
        code="map",
        judge=VQGAN(feature_widths=(4,), feature_epochs=1, patch_widths=(4,), start=1.0),
    ),
    "clustering": lambda: ist.ClusteringAE(**SHARED, pretrain_epochs=1, n_clusters=3),
    "clustering in batches": lambda: ist.ClusteringAE(
        **SHARED, pretrain_epochs=1, n_clusters=3, target_interval=0
    ),
    "vade": lambda: ist.VaDE(**SHARED, pretrain_epochs=1, n_clusters=3),
}
COLUMNS = (
    *("objective", "val_objective", "usage", "perplexity", "usage_2", "perplexity_2", "entropy"),
    *("dead", "mmd", "critic"),
)


def dropping(shape: tuple[int, ...]) -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(64, 8), torch.nn.ReLU(), torch.nn.Dropout(0.5)
    )


class Noisy(torch.nn.Flatten):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x + torch.randn(x.shape))


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    x = ist.data.load("digits").train.x[:98]  # batches of 32, 32, 32 and 2: fewer than processes
    y = np.arange(len(x)) % 3
    runtime = choose_runtime("cpu")
    ends: dict[str, np.ndarray] = {}
    for name, make in MEMBERS.items():
        model = make().fit(x, y, runtime=runtime)
        ends |= {f"{name}/{k}": v.numpy() for k, v in model.module_.state_dict().items()}
        for column in (set(model.history_[-1]) & set(COLUMNS)) | {"epoch"}:
            values = [row[column] for row in model.history_ if column in row]
            ends[f"{name}/{column}"] = np.array(values)
    weighted = ist.AE(**SHARED).fit(x, sample_weight=1 + y, runtime=runtime)
    ends["weights"] = weighted.transform(x)
    waves = [row.reshape(8, 8)[: 3 + place % 6] for place, row in enumerate(x)]
    recurrent = ist.RecurrentAE(**{**SHARED, "network": "recurrent"}, latent_dim=3).fit(
        waves, runtime=runtime
    )
    ends["sequences"] = recurrent.transform(waves)
    classifier = ist.AutoencoderClassifier(ist.AE(**SHARED), epochs=2, random_state=0, verbose=0)
    ends["classifier"] = classifier.fit(x, y, runtime=runtime).predict_proba(x)
    refused = {}
    for name, values in {
        "compile": {"compile": True},
        "batch norm": {
            "encoder": torch.nn.Sequential(torch.nn.Flatten(), torch.nn.BatchNorm1d(64))
        },
        "random": {"encoder": Noisy()},
    }.items():
        try:
            ist.AE(**SHARED, **values).fit(x, runtime=runtime) if runtime.processes > 1 else None
        except ist.InputError as error:
            refused[name] = str(error)
    rank = getattr(runtime, "rank", 0)
    np.savez(folder / f"{rank}.npz", **ends)
    (folder / f"{rank}.json").write_text(json.dumps(refused))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
