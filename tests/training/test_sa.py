"""The SA loss: which patch is judged, which weights move, and that real and fake pull the verdict to 1 and 0."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from networks.skf_discriminator import SKFDiscriminator
from training.losses.sa import class_masks, discriminator_terms, generator_terms, random_crops, worst_masks

CLASSES = 4


def scene(seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Enhanced and bright pictures [2, 3, 32, 32], their classes in quarters and a class map before the soft-max."""
    generator = torch.Generator().manual_seed(seed)
    enhanced, target = torch.rand(2, 2, 3, 32, 32, generator=generator)
    side = torch.arange(32) // 16
    classes = (2 * side[:, None] + side).expand(2, 32, 32).contiguous()
    class_map = 5.0 * nn.functional.one_hot(classes, CLASSES).movedim(-1, 1).float()
    return enhanced, target, classes, class_map


def small_discriminator() -> SKFDiscriminator:
    torch.manual_seed(0)
    return SKFDiscriminator(CLASSES, channels=4)


class Brightness(nn.Module):
    """Stands in for a discriminator: the brighter a patch on average, the more real."""

    def forward(self, picture: Tensor) -> Tensor:
        return picture.mean(dim=(1, 2, 3))


def test_a_discriminator_step_moves_all_weights_and_both_first_layers() -> None:
    enhanced, target, classes, class_map = scene()
    discriminator = small_discriminator()
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=1e-3)
    before = {name: parameter.clone() for name, parameter in discriminator.named_parameters()}
    terms = discriminator_terms(
        discriminator, enhanced, target, class_map, worst_masks(discriminator, enhanced, classes)
    )
    torch.stack(list(terms.values())).sum().backward()
    optimizer.step()
    still = [name for name, parameter in discriminator.named_parameters() if torch.equal(parameter, before[name])]
    assert not still
    assert {"plain.weight", "joined.weight"} <= before.keys()


@pytest.mark.parametrize(("term", "layer"), [("global", "joined"), ("local", "plain")])
@pytest.mark.parametrize("kind", ["real", "fake"])
def test_each_first_layer_learns_from_real_and_from_fake(term: str, layer: str, kind: str) -> None:
    """With the other kind black, a black picture gives a first layer's picture weights no gradient."""
    enhanced, target, classes, class_map = scene()
    enhanced, target = (enhanced, 0 * target) if kind == "fake" else (0 * enhanced, target)
    discriminator = small_discriminator()
    worst = worst_masks(discriminator, enhanced, classes)
    discriminator_terms(discriminator, enhanced, target, class_map, worst)[term].backward()
    for name in ("joined", "plain"):
        gradient = getattr(discriminator, name).weight.grad
        assert (gradient is not None and bool(gradient[:, :3].any())) == (name == layer)


def test_the_discriminator_learns_to_tell_them_apart_and_the_generator_to_please_it() -> None:
    enhanced, target, classes, class_map = scene()
    enhanced = nn.functional.avg_pool2d(enhanced, 3, 1, 1)  # blurred, where the bright ones are sharp
    discriminator = small_discriminator()
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=3e-2)
    worst = worst_masks(discriminator, enhanced, classes)
    values = []
    for _ in range(60):
        loss = torch.stack(list(discriminator_terms(discriminator, enhanced, target, class_map, worst).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[-1] < 0.5 * values[0]
    assert discriminator(target, class_map).mean() > discriminator(enhanced, class_map).mean() + 0.1

    picture = enhanced.clone().requires_grad_()
    mover = torch.optim.Adam([picture], lr=0.02)
    tried = []
    for _ in range(15):
        terms = generator_terms(discriminator, picture, class_map, worst)
        mover.zero_grad()
        (terms["global"] + terms["local"]).backward()
        mover.step()
        tried.append((terms["global"] + terms["local"]).item())
    assert tried[-1] < tried[0]


def test_the_generators_gradient_reaches_the_picture_but_not_the_discriminator() -> None:
    enhanced, _, classes, class_map = scene()
    enhanced.requires_grad_()
    discriminator = small_discriminator()
    worst = worst_masks(discriminator, enhanced, classes)
    for term in generator_terms(discriminator, enhanced, class_map, worst).values():
        enhanced.grad = None
        term.backward(retain_graph=True)
        assert enhanced.grad is not None
        assert enhanced.grad.any()
    assert all(parameter.grad is None for parameter in discriminator.parameters())
    assert all(parameter.requires_grad for parameter in discriminator.parameters())


def test_the_discriminators_gradient_does_not_reach_the_enhanced_picture() -> None:
    enhanced, target, classes, class_map = scene()
    enhanced.requires_grad_()
    discriminator = small_discriminator()
    worst = worst_masks(discriminator, enhanced, classes)
    sum(discriminator_terms(discriminator, enhanced, target, class_map, worst).values()).backward()  # type: ignore[union-attr]
    assert enhanced.grad is None


def test_the_local_gradient_stays_inside_the_chosen_patch() -> None:
    enhanced, _, classes, class_map = scene()
    enhanced.requires_grad_()
    discriminator = small_discriminator()
    worst = worst_masks(discriminator, enhanced, classes)
    generator_terms(discriminator, enhanced, class_map, worst)["local"].backward()
    assert enhanced.grad is not None
    assert not enhanced.grad[~worst.expand_as(enhanced)].any()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_the_chosen_patch_is_the_one_judged_most_fake(seed: int) -> None:
    enhanced, _, classes, _ = scene(seed)
    discriminator = small_discriminator()
    chosen = worst_masks(discriminator, enhanced, classes)
    discriminator.eval()
    for n in range(2):
        verdicts = []
        for number in range(CLASSES):
            mask = class_masks(classes)[0][number]
            verdicts.append(discriminator(enhanced[n : n + 1] * mask).item())
        best = min(range(CLASSES), key=lambda number: verdicts[number])
        # A verdict over patches of several pictures may differ in the last bit from one alone.
        assert discriminator(enhanced[n : n + 1] * chosen[n]).item() == pytest.approx(verdicts[best], abs=1e-6)


def test_the_darkest_class_is_chosen_by_a_judge_of_brightness_and_too_small_ones_are_not() -> None:
    _, _, classes, _ = scene()
    enhanced = torch.full((2, 3, 32, 32), 0.8)
    enhanced[0, :, :16, 16:] = 0.1  # class 1 of the first picture
    enhanced[1, :, 16:, :16] = 0.1  # class 2 of the second
    classes[:, 0, 0] = 3
    chosen = worst_masks(Brightness(), enhanced, classes, radius=0)  # type: ignore[arg-type]
    assert torch.equal(chosen[0, 0], classes[0] == 1)
    assert torch.equal(chosen[1, 0], classes[1] == 2)
    lone = torch.zeros(1, 32, 32, dtype=torch.int64)
    lone[:, :3, :3] = 1  # 9 of 1024 pixels, less than 1 %
    masks, owners = class_masks(lone, radius=0)
    assert len(masks) == len(owners) == 1
    assert torch.equal(masks[0, 0], lone[0] == 0)


def test_a_picture_without_a_class_large_enough_is_judged_whole() -> None:
    checkers = (torch.arange(16)[:, None] + torch.arange(16)).remainder(2)[None]
    masks, owners = class_masks(checkers)
    assert masks.all()
    assert owners.tolist() == [0]


def test_judging_leaves_the_discriminator_as_it_was() -> None:
    enhanced, _, classes, _ = scene()
    discriminator = small_discriminator()
    before = {name: value.clone() for name, value in discriminator.state_dict().items()}
    worst_masks(discriminator, enhanced, classes)
    assert discriminator.training
    assert all(torch.equal(value, before[name]) for name, value in discriminator.state_dict().items())


def test_crops_are_parts_of_their_picture_at_places_drawn_anew() -> None:
    picture = torch.arange(3 * 40 * 48, dtype=torch.float32).view(1, 3, 40, 48)
    torch.manual_seed(1)
    crops = [random_crops(picture) for _ in range(6)]
    assert all(crop.shape == (1, 3, 20, 24) for crop in crops)
    assert len({crop[0, 0, 0, 0].item() for crop in crops}) > 1
    for crop in crops:
        row, column = divmod(int(crop[0, 0, 0, 0]), 48)
        assert torch.equal(crop, picture[..., row : row + 20, column : column + 24])
    assert random_crops(torch.rand(2, 3, 12, 20)).shape == (2, 3, 12, 16)


def test_real_patches_can_be_those_of_the_class_itself() -> None:
    enhanced, target, classes, class_map = scene()
    discriminator = small_discriminator().eval()
    worst = worst_masks(discriminator, enhanced, classes)
    found = discriminator_terms(discriminator, enhanced, target, class_map, worst, real="classes")["local"]
    wanted = (discriminator(target * worst) - 1).square().mean() + discriminator(enhanced * worst).square().mean()
    torch.testing.assert_close(found, wanted)


def test_a_class_counts_from_one_hundredth_of_its_picture() -> None:
    classes = torch.zeros(1, 40, 50, dtype=torch.int64)
    classes[0, 0, :19] = 1  # just below
    classes[0, 1, :20] = 2  # just enough
    masks, owners = class_masks(classes, radius=0)
    assert [int(mask.sum()) for mask in masks] == [40 * 50 - 39, 20]
    assert owners.tolist() == [0, 0]
