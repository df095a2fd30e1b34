"""What SKF (CVPR 2023) adds to the training of a system: the SCH and SA losses, and the discriminator's own update.

The recipe's ``semantics`` say which of them act and with which weights; ``options.skf`` says how they are computed.
Both losses join the terms of a system's last sub-network (equation 15); the other sub-networks keep their own losses.
One class map cuts both pictures: the bank's on the bright picture where there is one, a target that stays (K13); the
released DRBN takes that of the enhanced picture in every step, here ``class_map: output``. The discriminator lives as
long as the run, and its learning rate is the generator's times ``semantics.discriminator_rate`` (K16; released 1/1000
and a new one per epoch).
The weights are not in the paper; 1 and 0.1 are this project's defaults (K14). The log has both terms by name and, in
every 25th step that has them, how much each pulls: ``gradient_own``, ``gradient_sch`` and ``gradient_sa`` are the norms
of the gradients of the system's own losses and of the weighted additions in the network's weights. Small recipes and
ablations choose the weight of SCH by one criterion: about `WANTED_SHARE` of the own gradient when training has settled.

What the SE modules are told always comes from the brightened dark picture (K6). The released feeding is not offered in
training: the bright picture (SNR's script) is not there at run time; the result of DRBN's third recurrence, and SNR's
second pass over its own result, would run the bank inside the network in every step and every frame, and a bank of
embeddings that were computed beforehand cannot follow them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from networks.embedding_bank import EmbeddingBank
from networks.skf import Knowledge
from networks.skf_discriminator import SKFDiscriminator
from training.batches import PairBatch
from training.losses.sa import Real, discriminator_terms, generator_terms, worst_masks
from training.losses.sch import Normaliser, sch_loss
from training.recipe import Phase, Recipe, Semantics, Strict
from training.semantics import load_bank
from training.systems.base import System, make_optimizer

PASCAL_CONTEXT = 59
MEASURE_EVERY = 25
"""Every how many steps with SCH the gradients are compared; each comparison costs a backward pass per loss."""
WANTED_SHARE = 0.2
"""Gradient of the weighted SCH over that of a system's own losses: enough to act, too little to lead."""


class SKFOptions(Strict):
    """How SCH and SA are computed; parity with the released code: closed bins, radius 0, another normaliser."""

    open_bins: bool = True
    radius: int = Field(default=2, ge=0)
    """Pixels that a class loses at its border; the paper does not say how many."""
    normaliser: Normaliser = "present"
    class_weights: tuple[float, ...] = ()
    """One weight per class of the bank for SCH; empty: all 1."""
    class_map: Literal["bright", "dark", "output"] = "bright"
    """Whose class map cuts the pictures; ``dark``: that of the brightened input; ``output``: that of the enhanced
    picture in every step, as released, which needs a bank that works on pictures. No gradient passes the bank."""
    real: Real = "crops"
    """What the local discriminator sees of bright pictures."""
    discriminator_channels: int = Field(default=64, gt=0)


class SKFSystem(System):
    """A system whose result may be guided; without ``sch`` and ``sa`` in the recipe nothing is added."""

    guided_phase: str | None = None
    """The phase that trains the last sub-network; None: every phase does."""

    def __init__(self, recipe: Recipe, network_options: dict[str, Any], options: SKFOptions) -> None:
        super().__init__(recipe, network_options)
        self.skf = options
        self.semantics = recipe.semantics
        self.bank: nn.Module | None = None
        if self.semantics.sa:
            self.helpers["discriminator"] = SKFDiscriminator(
                class_count(self.semantics), options.discriminator_channels
            )

    def consult(self, bank: nn.Module | None) -> None:
        """Take class maps of enhanced pictures from a bank. Raises ``ValueError`` where they count and it has none."""
        blind = bank is None or (isinstance(bank, EmbeddingBank) and bank.encoder is None)
        if blind and self.skf.class_map == "output" and (self.semantics.sch or self.semantics.sa):
            raise ValueError("options.skf.class_map: output needs a bank that works on pictures, such as hrnet")
        self.bank = bank

    def trained(self, phase: str) -> nn.Module:
        """The part of the network that moves in a phase."""
        return self.network

    def guides(self, phase: str) -> bool:
        """Whether SCH or SA act in a phase."""
        return bool(self.semantics.sch or self.semantics.sa) and self.guided_phase in (None, phase)

    def optimizers(self, name: str, phase: Phase) -> dict[str, torch.optim.Optimizer]:
        found = {"network": make_optimizer(self.trained(name).parameters(), phase.optimizer)}
        if self.semantics.sa and self.guides(name):
            rate = self.semantics.discriminator_rate
            found["discriminator"] = make_optimizer(self.helpers["discriminator"].parameters(), phase.optimizer, rate)
        return found

    def guided(
        self, terms: dict[str, Tensor], enhanced: Tensor, batch: PairBatch, step: int
    ) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """The update of the sub-network that made ``enhanced`` [n, 3, h, w], then the discriminator's.

        ``terms`` are the system's own, weighted. Raises ``ValueError`` when the batch knows no classes.
        """
        how, known, own = self.semantics, self._known(batch, enhanced), set(terms)
        classes = known.classes
        if how.sch and step % how.sch_every == 0:
            terms = terms | {"sch": how.sch * self._sch(enhanced, batch.high, known.logits.shape[1], classes)}
        if not how.sa:
            self.compare(own, terms, step)
            yield "network", terms
            return
        judge = self.helpers["discriminator"]
        assert isinstance(judge, SKFDiscriminator)
        worst = worst_masks(judge, enhanced.detach(), classes, self.skf.radius)
        pleasing = generator_terms(judge, enhanced, known.logits, worst)
        terms = terms | {f"sa_{name}": how.sa * term for name, term in pleasing.items()}
        self.compare(own, terms, step)
        yield "network", terms
        judged = discriminator_terms(judge, enhanced, batch.high, known.logits, worst, self.skf.real)
        yield "discriminator", {f"judge_{name}": term for name, term in judged.items()}

    def compare(self, own: Collection[str], terms: Mapping[str, Tensor], step: int) -> None:
        """Now and then, notes the norms of the gradients of the ``own`` terms, of SCH's and of SA's for the log."""
        if step % (MEASURE_EVERY * self.semantics.sch_every):
            return
        parts = {"own": own}
        parts |= {kind: [name for name in terms if name.startswith(kind) and name not in own] for kind in ("sch", "sa")}
        weights = [weight for weight in self.network.parameters() if weight.requires_grad]
        for part, names in parts.items():
            if names:
                total = torch.stack([terms[name] for name in names]).sum()
                moving = weights if total.requires_grad else []
                found = torch.autograd.grad(total, moving, retain_graph=True, allow_unused=True) if moving else ()
                norms = [gradient.float().norm() for gradient in found if gradient is not None]
                self.figures[f"gradient_{part}"] = torch.stack(norms).norm().item() if norms else 0.0

    def _known(self, batch: PairBatch, enhanced: Tensor | None = None) -> Knowledge:
        if self.skf.class_map == "output":
            assert self.bank is not None
            assert enhanced is not None
            with torch.no_grad():
                seen: Knowledge = self.bank(enhanced.detach())
            return seen
        known = batch.target if self.skf.class_map == "bright" else batch.knowledge
        if known is None:
            raise ValueError(f"SCH and SA need the class map of the {self.skf.class_map} pictures, which no bank gave")
        return known.detached()

    def _sch(self, enhanced: Tensor, target: Tensor, count: int, classes: Tensor) -> Tensor:
        weights = self.skf.class_weights
        if weights and len(weights) != count:
            raise ValueError(f"options.skf.class_weights has {len(weights)} entries, the bank {count} classes")
        return sch_loss(
            enhanced,
            target,
            classes,
            count,
            open_bins=self.skf.open_bins,
            radius=self.skf.radius,
            normaliser=self.skf.normaliser,
            class_weights=enhanced.new_tensor(weights) if weights else None,
        )


def class_count(semantics: Semantics) -> int:
    """Classes of the bank that a recipe names."""
    if semantics.bank == "hrnet" or semantics.path is None:
        return PASCAL_CONTEXT
    return load_bank(semantics.path).classes


def check_phases(recipe: Recipe, known: Sequence[str]) -> None:
    """Raises ``ValueError`` unless the recipe's phases are some of the known ones, in their order."""
    given = list(recipe.phases)
    if given != [name for name in known if name in given]:
        raise ValueError(f"{recipe.system} has the phases {', '.join(known)}, in this order, not {', '.join(given)}")


def weighted(terms: dict[str, Tensor], weights: dict[str, float]) -> dict[str, Tensor]:
    """Each term times its weight; terms without a weight count once."""
    return {name: weights.get(name, 1.0) * term for name, term in terms.items()}
