"""Does it find the organisms? Reads simulated from real genomes, through the real product, against plain baselines.

    python benchmarks/quality.py [--seed 1] [--lists 6] [--reads 200] [--singles 16]

Prints medians with min and max over pinned genome lists (genome choice, not the seed, is the noise) and exits 1 where
a target is missed. The z-scored kernel is the baseline in two forms: in the basis that the published construction
gives (null space of the constraints by singular values; Nissen et al. 2021), and in the product's own basis, which
suits z-scores better. Both are given the true number of clusters and ten starts.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from isthmus import api
from isthmus.core.flags import LabelFlag
from isthmus.kernels.profiles import canonical_kmers, kernel4_basis, reverse_complement
from isthmus.testing.genomes import Genome
from isthmus.testing.reads import Sampling, lognormal_abundance, read_genomes, simulate_reads

BALANCED_TARGET, UNEVEN_TARGET, SHUFFLED_LIMIT, SINGLE_TARGET = 1.12, 1.5, 0.02, 0.75

# Six draws of 8 from all genomes but the second Caulobacter strain, which nothing tells from the first.
BALANCED = tuple(
    tuple(words.split())
    for words in (
        "Caulobacter_crescentus_CB15 Helicobacter_pylori_G27 Methanobacterium_sp_AL-21 Methanosaeta_concilii_GP-6 "
        "Pectobacterium_atrosepticum_SCRI1043 Salmonella_enterica_LT2 Staphylococcus_aureus_N315 "
        "Vibrio_cholerae_N16961",
        "Bacillus_subtilis_168 Blochmannia_floridanus Caulobacter_crescentus_CB15 Methanobacterium_sp_AL-21 "
        "Mycoplasma_genitalium_G37 Pectobacterium_atrosepticum_SCRI1043 Vibrio_cholerae_N16961 "
        "draft_Sphingobacteriaceae_DW12",
        "Bacillus_subtilis_168 Blochmannia_floridanus Escherichia_coli_K12_MG1655 Methanosaeta_concilii_GP-6 "
        "Mycoplasma_genitalium_G37 Pectobacterium_atrosepticum_SCRI1043 Salmonella_enterica_LT2 "
        "Staphylococcus_aureus_N315",
        "Bacillus_subtilis_168 Caulobacter_crescentus_CB15 Corynebacterium_glutamicum_ATCC13032 "
        "Escherichia_coli_K12_MG1655 Helicobacter_pylori_G27 Mycoplasma_genitalium_G37 "
        "Pectobacterium_atrosepticum_SCRI1043 Prochlorococcus_marinus_CCMP1375",
        "Blochmannia_floridanus Caulobacter_crescentus_CB15 Corynebacterium_glutamicum_ATCC13032 "
        "Helicobacter_pylori_G27 Methanosaeta_concilii_GP-6 Salmonella_enterica_LT2 Vibrio_cholerae_N16961 "
        "draft_Sphingobacteriaceae_DW12",
        "Aquifex_aeolicus_VF5 Caulobacter_crescentus_CB15 Escherichia_coli_K12_MG1655 Methanobacterium_sp_AL-21 "
        "Pectobacterium_atrosepticum_SCRI1043 Salmonella_enterica_LT2 Staphylococcus_aureus_N315 "
        "draft_Sphingobacteriaceae_DW12",
    )
)
# Uneven communities: all 17 but the one named, 16 each; both Caulobacter strains are in five of the six.
UNEVEN_WITHOUT = (
    "draft_Sphingobacteriaceae_DW12",
    "Caulobacter_crescentus_NA1000",
    "Bacillus_subtilis_168",
    "Methanosaeta_concilii_GP-6",
    "Salmonella_enterica_LT2",
    "Aquifex_aeolicus_VF5",
)
UNEVEN_READS, UNEVEN_SIGMA, SINGLE_READS = 4_000, 1.2, 1_000


@dataclass(frozen=True)
class Reads:
    """One simulated sample in the lake: its Ref, origin (N,), lengths (N,), GC (N,) and raw features (N, 103)."""

    lake: object
    ref: object
    names: tuple[str, ...]
    truth: np.ndarray
    length: np.ndarray
    gc: np.ndarray
    x: np.ndarray

    def labels(self, product: str, **params: object) -> np.ndarray:
        """Cluster of each read (N,) as phase 2 commits it."""
        ref = api.simulate(self.lake, "kmeans", self.ref, into=f"quality.{product}", ranks=1, **params)
        return np.asarray(self.lake.table(ref, columns=["cluster"])["cluster"])


def genome_files(data: Path) -> dict[str, Path]:
    """The bacteria and archaea of the data folder by name; phages are left out."""
    files = sorted((data / "genomes").glob("*.fna*"))
    return {path.name.split(".fna")[0]: path for path in files if not path.name.startswith("phage")}


def sample(folder: Path, genomes: Sequence[Genome], counts: Sequence[int], sampling: Sampling, seed: int) -> Reads:
    """Simulate, write FASTQ, and run phase 1."""
    folder.mkdir(parents=True)
    truth = {}
    with (folder / "reads.fastq").open("wb") as out:
        for read in simulate_reads(genomes, counts, sampling, seed=seed):
            out.write(read.fastq)
            truth[read.id] = read.label
    lake = api.open(folder / "lake")
    ref = api.embed(lake, [folder / "reads.fastq"], into="quality.reads", threads=1)
    table = lake.table(ref, columns=["id", "length", "gc"])
    names = tuple(genome.name for genome in genomes)
    origin = np.array([names.index(truth[one]) for one in table["id"].to_pylist()])
    x = np.asarray(lake.array(ref), np.float64)
    return Reads(lake, ref, names, origin, np.asarray(table["length"]), np.asarray(table["gc"]), x)


def published_rotation() -> np.ndarray:
    """(103, 103) from the product's basis to the null space of the constraints as singular values give it."""
    words = ["".join(word) for word in itertools.product("ACGT", repeat=4)]
    place = {word: i for i, word in enumerate(words)}
    rows = []
    for word in words:
        if word < reverse_complement(word):
            row = np.zeros(256)
            row[[place[word], place[reverse_complement(word)]]] = 1, -1
            rows.append(row)
    for trimer in map("".join, itertools.product("ACGT", repeat=3)):
        row = np.zeros(256)
        for base in "ACGT":
            row[place[trimer + base]] += 1
            row[place[base + trimer]] -= 1
        rows.append(row)
    _, values, vectors = np.linalg.svd(np.array([*rows, np.ones(256)]))
    null = vectors[int((values > 1e-10 * values[0]).sum()) :].T
    canonical = canonical_kmers(4)
    widen = np.array([[word in (one, reverse_complement(one)) for one in canonical] for word in words], float)
    rotation = (widen @ kernel4_basis()).T @ null
    assert rotation.shape == (103, 103)
    assert np.allclose(rotation @ rotation.T, np.eye(103), atol=1e-6)
    return rotation


def z_scored(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(axis=0)) / x.std(axis=0)


def k_means(x: np.ndarray, k: int, seed: int) -> np.ndarray:
    return KMeans(k, n_init=10, random_state=seed).fit_predict(x)


def recovered(reads: Reads, labels: np.ndarray) -> int:
    """Genomes of which one cluster holds at least 90 % of the bases and is at least 95 % theirs (bases)."""
    found = 0
    bases = np.bincount(reads.truth, reads.length, len(reads.names))
    for cluster in np.unique(labels[labels >= 0]):
        inside = labels == cluster
        own = np.bincount(reads.truth[inside], reads.length[inside], len(reads.names))
        best = int(own.argmax())
        found += bool(own[best] >= 0.9 * bases[best] and own[best] >= 0.95 * own.sum())
    return found


def score_balanced(reads: Reads, seed: int) -> dict[str, float]:
    """ARI of every arm on one balanced sample, the true number of clusters told."""
    k, truth = len(reads.names), reads.truth
    rng = np.random.default_rng(seed)
    own = reads.labels("self", k=k, scale="self", seed=seed)
    arms = {
        "isthmus, scale self": own,
        "isthmus, scale z": reads.labels("z", k=k, scale="z", seed=seed),
        "z-scored kernel (published basis)": k_means(z_scored(reads.x @ published_rotation()), k, seed),
        "control: random projection to 20": k_means(reads.x @ rng.normal(size=(103, 20)), k, seed),
        "control: GC only": k_means(reads.gc[:, None], k, seed),
        "control: labels shuffled": rng.permutation(own),
    }
    return {name: float(adjusted_rand_score(truth, labels)) for name, labels in arms.items()}


def score_uneven(reads: Reads, seed: int) -> dict[str, float]:
    """Genomes recovered by every arm; only the baselines are told the number of genomes."""
    k = len(reads.names)
    own = reads.labels("self", scale="self", seed=seed)
    arms = {
        "isthmus, K unknown": own,
        "isthmus, scale self, told K": reads.labels("told", k=k, scale="self", seed=seed),
        "isthmus, scale z, told K": reads.labels("z", k=k, scale="z", seed=seed),
        "z-scored kernel (published basis), told K": k_means(z_scored(reads.x @ published_rotation()), k, seed),
        "control: GC only, told K": k_means(reads.gc[:, None], k, seed),
        "control: labels shuffled": np.random.default_rng(seed).permutation(own),
    }
    scores: dict[str, float] = {name: recovered(reads, labels) for name, labels in arms.items()}
    scores["(ARI of isthmus, K unknown)"] = float(adjusted_rand_score(reads.truth, own))
    scores["(clusters of isthmus, K unknown)"] = len(np.unique(own[own >= 0]))
    return scores


def balanced_rounds(
    files: dict[str, Path], folder: Path, *, lists: int, reads: int, seed: int
) -> list[dict[str, float]]:
    """Equal numbers of 10 kb reads with 5 % errors of 8 genomes, for each pinned list."""
    sampling = Sampling(mean_length=10_000, shape=0, error_rate=0.05)
    rounds = []
    for number, names in enumerate(BALANCED[:lists]):
        genomes = read_genomes([files[name] for name in names])
        at = sample(folder / f"balanced-{number}", genomes, [reads] * len(genomes), sampling, 100 * seed + number)
        rounds.append(score_balanced(at, seed))
    return rounds


def uneven_rounds(files: dict[str, Path], folder: Path, *, lists: int, reads: int, seed: int) -> list[dict[str, float]]:
    """Lognormal abundance (sigma 1.2) over 16 genomes, gamma lengths of mean 9 kb, 5 % errors, for each pinned list."""
    rounds = []
    for number, left_out in enumerate(UNEVEN_WITHOUT[:lists]):
        rng = np.random.default_rng([seed, number])
        names = [name for name in files if name != left_out]
        shares = lognormal_abundance(len(names), UNEVEN_SIGMA, rng)
        counts = np.maximum(rng.multinomial(reads, shares), 1).tolist()
        genomes = read_genomes([files[name] for name in names])
        at = sample(folder / f"uneven-{number}", genomes, counts, Sampling(mean_length=9_000), 100 * seed + number)
        rounds.append(score_uneven(at, seed))
    return rounds


def single_rounds(files: dict[str, Path], folder: Path, *, count: int, seed: int) -> list[dict[str, float]]:
    """One genome alone, K unknown: clusters that are left."""
    rounds = []
    for number, name in enumerate([one for one in files if one != "Caulobacter_crescentus_NA1000"][:count]):
        genomes = read_genomes([files[name]])
        at = sample(
            folder / f"single-{number}", genomes, [SINGLE_READS], Sampling(mean_length=9_000), 100 * seed + number
        )
        labels = at.labels("alone", scale="self", seed=seed)
        rounds.append({"clusters": len(np.unique(labels[labels >= 0]))})
    return rounds


def trust_rounds(files: dict[str, Path], folder: Path, *, lists: int, reads: int, seed: int) -> list[dict[str, float]]:
    """Balanced lists with 2 % of reads joined from two genomes: are flags and confidence honest? K told."""
    rounds = []
    for number, names in enumerate(BALANCED[:lists]):
        genomes = read_genomes([files[name] for name in names])
        sampling = Sampling(mean_length=10_000, shape=0)
        single = list(simulate_reads(genomes, [reads] * len(genomes), sampling, seed=100 * seed + number))
        joined = {read.id: other for read, other in zip(single[::50], single[1::50], strict=False)}
        path = folder / f"trust-{number}"
        path.mkdir(parents=True)
        with (path / "reads.fastq").open("wb") as out:
            for read in single:
                other = joined.get(read.id, read)
                cut, rest = len(read.sequence) // 2, len(other.sequence) // 2
                bases, quality = read.sequence[:cut] + other.sequence[rest:], read.quality[:cut] + other.quality[rest:]
                out.write(b"@%s\n%s\n+\n%s\n" % (read.id.encode(), bases, quality))
        lake = api.open(path / "lake")
        ref = api.embed(lake, [path / "reads.fastq"], into="quality.reads", threads=1)
        ref = api.simulate(lake, "kmeans", ref, into="quality.trust", ranks=1, k=len(names), scale="self", seed=seed)
        table = lake.table(ref, columns=["id", "cluster", "confidence", "flags"]).to_pydict()
        origin = {read.id: names.index(read.label) for read in single}
        chimera = {one for one, other in joined.items() if origin[other.id] != origin[one]}
        rounds.append(score_trust(table, origin, chimera))
    return rounds


def score_trust(table: dict[str, list[Any]], origin: dict[str, int], chimera: set[str]) -> dict[str, float]:
    """Precision and recall of the chimera flag, and how right labels are above each cut-off of the confidence."""
    made = np.array([one in chimera for one in table["id"]])
    flagged = (np.array(table["flags"]) & LabelFlag.CHIMERA_SUSPECT) != 0
    truth, cluster = np.array([origin[one] for one in table["id"]]), np.array(table["cluster"])
    usual = {int(one): int(np.bincount(truth[cluster == one]).argmax()) for one in np.unique(cluster)}
    right = np.array([usual[int(one)] for one in cluster]) == truth
    confidence = np.array(table["confidence"])
    scores = {
        "chimera flag: precision": float(made[flagged].mean()) if flagged.any() else 1.0,
        "chimera flag: recall": float(flagged[made].mean()),
        "chimera flag: false alarms per 1,000 reads": 1000 * float(flagged[~made].mean()),
    }
    for cut in (0.0, 0.1, 0.2, 0.3, 0.5):
        kept = (confidence >= cut) & ~made
        scores[f"confidence >= {cut}: share of reads kept"] = float(kept.sum() / (~made).sum())
        scores[f"confidence >= {cut}: labels right"] = float(right[kept].mean())
    return scores


def mean_ratio(rounds: Sequence[dict[str, float]], ours: str, peer: str) -> float:
    """Mean over lists of ours by that of the peer's: the lists are the same, so it is paired."""
    return statistics.mean(one[ours] for one in rounds) / statistics.mean(one[peer] for one in rounds)


def show(title: str, rounds: Sequence[dict[str, float]], ours: str = "") -> None:
    """Print a table: mean, median, min and max of every arm over the lists, each list, and the ratio ours : arm."""
    print(f"\n{title}")
    print(f"{'':44}{'mean':>8}{'median':>8}{'min':>8}{'max':>8}{'ratio' if ours else '':>8}   each list")
    for arm in rounds[0]:
        values = [one[arm] for one in rounds]
        mean = statistics.mean(values)
        comparable = ours and mean > 0.05 and not arm.startswith("(")
        ratio = f"{mean_ratio(rounds, ours, arm):8.2f}" if comparable else f"{'':8}"
        each = " ".join(f"{value:.4g}" if value > 1 else f"{value:.3f}" for value in values)
        print(
            f"{arm:44}{mean:8.3f}{statistics.median(values):8.3f}{min(values):8.3f}{max(values):8.3f}{ratio}   {each}"
        )


def verdict(met: bool, words: str) -> bool:
    print(f"{'met   ' if met else 'MISSED'} {words}")
    return met


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = Path(__file__).resolve().parents[2]
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ISTHMUS_DATA", root / "shared" / "data")))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lists", type=int, default=6)
    parser.add_argument("--reads", type=int, default=200, help="balanced: reads of each genome")
    parser.add_argument("--singles", type=int, default=16)
    asked = parser.parse_args(words)
    files = genome_files(asked.data)
    if not files:
        parser.error(f"no genomes under {asked.data}; name the folder of the real data with --data")
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="isthmus-quality-") as name:
        folder = Path(name)
        balanced = balanced_rounds(files, folder, lists=asked.lists, reads=asked.reads, seed=asked.seed)
        show(
            f"Balanced, 8 genomes x {asked.reads} reads of 10 kb, 5 % errors, told K: ARI",
            balanced,
            "isthmus, scale self",
        )
        uneven = uneven_rounds(files, folder, lists=asked.lists, reads=UNEVEN_READS, seed=asked.seed)
        show(
            f"Lognormal abundance (sigma {UNEVEN_SIGMA}), 16 genomes, {UNEVEN_READS:,} reads of mean 9 kb, 5 % errors: "
            "genomes recovered", uneven, "isthmus, K unknown",
        )  # fmt: skip
        singles = single_rounds(files, folder, count=asked.singles, seed=asked.seed)
        trust = trust_rounds(files, folder, lists=asked.lists, reads=asked.reads, seed=asked.seed)
        show("Trust: balanced lists, 2 % of reads joined from two genomes, told K", trust)
        show(f"One genome alone, {SINGLE_READS:,} reads, K unknown: clusters left", singles)
    one = statistics.mean(single["clusters"] == 1 for single in singles) if singles else 1.0
    ratio = mean_ratio(balanced, "isthmus, scale self", "z-scored kernel (published basis)")
    gain = mean_ratio(uneven, "isthmus, K unknown", "z-scored kernel (published basis), told K")
    chance = max(abs(found["control: labels shuffled"]) for found in balanced)
    print(f"\nseed {asked.seed}, {time.perf_counter() - began:.0f} s, {time.strftime('%Y-%m-%d')}")
    met = [
        verdict(
            ratio >= BALANCED_TARGET, f"balanced ARI: {ratio:.3f}x the z-scored kernel's (target {BALANCED_TARGET}x)"
        ),
        verdict(
            gain >= UNEVEN_TARGET, f"genomes recovered: {gain:.2f}x the z-scored kernel's (target {UNEVEN_TARGET}x)"
        ),
        verdict(chance <= SHUFFLED_LIMIT, f"labels shuffled: |ARI| at most {chance:.3f} (limit {SHUFFLED_LIMIT})"),
        verdict(one >= SINGLE_TARGET, f"one genome alone ends as one cluster: {one:.2f} (target {SINGLE_TARGET})"),
    ]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
