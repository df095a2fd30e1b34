"""Segment Anything's modules: sizes and names as published, windows and prompts as described, strict loading."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from networks.sam import (
    VARIANTS,
    PromptedMasks,
    Variant,
    example_prompts,
    load_decoder,
    load_encoder,
    open_sam,
)
from networks.sam_image_encoder import Attention, Block, ImageEncoder

COUNTS = [("vit_b", 89_670_912, 93_735_472), ("vit_l", 308_278_272, 312_342_832), ("vit_h", 637_026_048, 641_090_608)]


def learnable(*modules: nn.Module) -> int:
    return sum(value.numel() for module in modules for value in module.parameters())


def noisy(module: nn.Module) -> nn.Module:
    """Every parameter random, so that none is zero and each one counts."""
    for value in module.parameters():
        nn.init.normal_(value, 0, 0.1)
    return module.eval()


@pytest.fixture
def decoder() -> PromptedMasks:
    torch.manual_seed(2)
    made = PromptedMasks(side=128)
    noisy(made)
    return made


@pytest.mark.parametrize(("name", "encoder", "total"), COUNTS)
def test_learnable_values_of_each_size(name: str, encoder: int, total: int) -> None:
    with torch.device("meta"):
        seeing, prompted = VARIANTS[name].build(), PromptedMasks()
    assert learnable(seeing) == encoder
    assert learnable(prompted.prompt_encoder) == 6_220
    assert learnable(prompted.mask_decoder) == 4_058_340
    assert learnable(seeing, prompted) == total


def test_parameters_are_called_as_in_published_checkpoints() -> None:
    with torch.device("meta"):
        encoder, decoder = VARIANTS["vit_b"].build().state_dict(), PromptedMasks().state_dict()
    assert len(encoder) + len(decoder) == 314
    shapes = {
        "pos_embed": (1, 64, 64, 768),
        "patch_embed.proj.weight": (768, 3, 16, 16),
        "blocks.0.attn.rel_pos_h": (27, 64),
        "blocks.2.attn.rel_pos_w": (127, 64),
        "blocks.11.attn.qkv.weight": (2304, 768),
        "blocks.11.mlp.lin1.bias": (3072,),
        "neck.2.weight": (256, 256, 3, 3),
        "neck.3.bias": (256,),
    }
    assert {name: tuple(encoder[name].shape) for name in shapes} == shapes
    shapes = {
        "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix": (2, 128),
        "prompt_encoder.point_embeddings.3.weight": (1, 256),
        "prompt_encoder.mask_downscaling.4.weight": (16,),
        "mask_decoder.transformer.layers.1.cross_attn_image_to_token.q_proj.weight": (128, 256),
        "mask_decoder.transformer.final_attn_token_to_image.out_proj.bias": (256,),
        "mask_decoder.mask_tokens.weight": (4, 256),
        "mask_decoder.output_upscaling.3.weight": (64, 32, 2, 2),
        "mask_decoder.output_hypernetworks_mlps.3.layers.2.weight": (32, 256),
        "mask_decoder.iou_prediction_head.layers.2.weight": (4, 256),
    }
    assert {name: tuple(decoder[name].shape) for name in shapes} == shapes


def test_the_encoder_sees_windows_and_then_everything() -> None:
    torch.manual_seed(0)
    pictures = torch.rand(1, 3, 320, 320)  # 20x20 tokens, windows of 14: the second row of windows is mostly padding
    changed = pictures.clone()
    changed[..., -16:, -16:] += 1
    for windows_only in (True, False):
        encoder = ImageEncoder(16, 1, 2, () if windows_only else (0,), side=320)
        noisy(encoder)
        with torch.no_grad():
            embedding = encoder(pictures)
            moved = (encoder(changed) - embedding).abs().amax(dim=(0, 1))
        assert embedding.shape == (1, 256, 20, 20)
        assert moved[-1, -1] > 1e-3
        assert moved[15, 15] > 0  # in the window of the change, and beyond what the neck reaches
        assert (moved[:12, :12].max() == 0) == windows_only


def test_relative_positions_are_rows_and_columns_between_query_and_key() -> None:
    torch.manual_seed(1)
    attention = Attention(8, 2, 3)
    noisy(attention)
    tokens = torch.randn(1, 3, 3, 8)
    with torch.no_grad():
        got = attention(tokens)
        query, key, value = attention.qkv(tokens.reshape(9, 8)).reshape(9, 3, 2, 4).unbind(1)
        wanted = torch.zeros(9, 2, 4)
        for head in range(2):
            for here in range(9):
                q = query[here, head]
                scores = [
                    q @ key[there, head] / 2
                    + q @ attention.rel_pos_h[here // 3 - there // 3 + 2]
                    + q @ attention.rel_pos_w[here % 3 - there % 3 + 2]
                    for there in range(9)
                ]
                wanted[here, head] = torch.stack(scores).softmax(0) @ value[:, head]
        torch.testing.assert_close(got, attention.proj(wanted.reshape(1, 3, 3, 8)))


def test_windows_attend_to_the_zeros_that_fill_them_up() -> None:
    torch.manual_seed(3)
    block = Block(8, 2, cells=3, window=4)
    noisy(block)
    tokens = torch.randn(1, 3, 3, 8)
    with torch.no_grad():
        padded = nn.functional.pad(block.norm1(tokens), (0, 0, 0, 1, 0, 1))
        wanted = tokens + block.attn(padded)[:, :3, :3]
        torch.testing.assert_close(block(tokens), wanted + block.mlp(block.norm2(wanted)))


def answers(decoder: PromptedMasks, *given: Tensor) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        iou, masks = decoder(*given)
    return iou, masks


def test_a_batch_of_prompts_gives_what_each_gives_alone(decoder: PromptedMasks) -> None:
    embedding, places, labels, mask, has, size = example_prompts(4, 2, side=128)
    iou, masks = answers(decoder, embedding, places, labels, mask, has, size)
    assert iou.shape == (4, 3)
    assert masks.shape == (4, 3, 32, 32)
    for one in range(4):
        alone = answers(decoder, embedding, places[one : one + 1], labels[one : one + 1], mask, has, size)
        torch.testing.assert_close(alone, (iou[one : one + 1], masks[one : one + 1]), rtol=1e-4, atol=1e-6)
    assert (masks[0] - masks[1]).abs().max() > 1e-5


def test_what_is_no_point_lies_nowhere_and_labels_have_meanings(decoder: PromptedMasks) -> None:
    embedding, places, labels, mask, has, size = example_prompts(1, 2, side=128)
    first = answers(decoder, embedding, places, labels, mask, has, size)[1]
    elsewhere = places.clone()
    elsewhere[0, 1] += 50
    assert torch.equal(answers(decoder, embedding, elsewhere, labels, mask, has, size)[1], first)
    seen = [first]
    for label in (0.0, 2.0, 3.0):
        other = labels.clone()
        other[0, 0] = label
        seen.append(answers(decoder, embedding, places, other, mask, has, size)[1])
    assert len({float(masks.sum()) for masks in seen}) == 4


def test_a_mask_prompt_counts_only_if_it_is_said_to_be_there(decoder: PromptedMasks) -> None:
    embedding, places, labels, mask, has, size = example_prompts(1, 2, side=128)
    without = answers(decoder, embedding, places, labels, mask, has, size)[1]
    drawn = torch.randn_like(mask)
    assert torch.equal(answers(decoder, embedding, places, labels, drawn, has, size)[1], without)
    assert (answers(decoder, embedding, places, labels, drawn, has + 1, size)[1] - without).abs().max() > 1e-5


def checkpoint(path: Path, encoder: dict[str, Tensor], decoder: dict[str, Tensor]) -> Path:
    torch.save({f"image_encoder.{name}": value for name, value in encoder.items()} | decoder, path)
    return path


def test_states_load_only_if_every_name_and_shape_fits(decoder: PromptedMasks) -> None:
    size = Variant(16, 2, 2, (1,))
    encoder = size.build(64)
    noisy(encoder)
    again = load_encoder(encoder.state_dict(), size, 64)
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(again(picture), encoder(picture))
    state = dict(load_decoder(decoder.state_dict()).state_dict())
    assert all(torch.equal(value, state[name]) for name, value in decoder.state_dict().items())
    del state["mask_decoder.iou_token.weight"]
    with pytest.raises(RuntimeError, match="iou_token"):
        load_decoder(state)
    with pytest.raises(RuntimeError, match="more"):
        load_decoder(decoder.state_dict() | {"more": torch.zeros(1)})


def test_a_checkpoint_opens_by_what_it_holds(
    decoder: PromptedMasks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = Variant(16, 1, 2, (0,))
    monkeypatch.setitem(VARIANTS, "tiny", tiny)
    encoder = tiny.build().state_dict()
    sam = open_sam(checkpoint(tmp_path / "tiny.pth", encoder, decoder.state_dict()))
    assert (sam.variant, type(sam.encoder)) == ("tiny", ImageEncoder)
    light = open_sam(checkpoint(tmp_path / "light.pth", {"layers.0.conv": torch.zeros(1)}, decoder.state_dict()))
    assert (light.variant, light.encoder) == ("", None)
    with pytest.raises(ValueError, match="does not fit"):
        open_sam(checkpoint(tmp_path / "odd.pth", encoder | {"extra": torch.zeros(1)}, decoder.state_dict()))
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ValueError, match="no checkpoint of Segment Anything"):
        open_sam(tmp_path / "list.pth")
    torch.save(decoder, tmp_path / "code.pth")
    with pytest.raises(ValueError, match="no checkpoint that can be opened"):
        open_sam(tmp_path / "code.pth")
