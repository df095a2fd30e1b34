"""VGG16 for perceptual losses: torchvision's layout and spelling, and what is said when the weights lack."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.losses.perceptual import LAYERS, VGG16, feature_distances, open_vgg16

torch.set_num_threads(1)

TORCHVISION = {  # where torchvision counts each convolution
    **{"relu1_1": 0, "relu1_2": 2, "relu2_1": 5, "relu2_2": 7, "relu3_1": 10, "relu3_2": 12, "relu3_3": 14},
    **{"relu4_1": 17, "relu4_2": 19, "relu4_3": 21, "relu5_1": 24, "relu5_2": 26, "relu5_3": 28},
}


def torchvision_layers(last: str) -> nn.Sequential:
    """The network as torchvision lays it out, written down a second time."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    inputs = 3
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
            inputs = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers[: TORCHVISION[last] + 2])


def state_of(layers: nn.Sequential) -> dict[str, Tensor]:
    return {f"features.{name}": value for name, value in layers.state_dict().items()}


def test_every_feature_is_that_of_torchvisions_layout() -> None:
    reference = torchvision_layers("relu5_3")
    network = VGG16("relu5_3")
    network.load_torchvision(state_of(reference) | {"classifier.0.weight": torch.zeros(1)})
    picture = torch.rand(1, 3, 32, 48)
    found = network(picture, LAYERS)
    x = (picture - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(
        3, 1, 1
    )
    places = {number + 1: name for name, number in TORCHVISION.items()}
    for index, layer in enumerate(reference):
        x = layer(x)
        if index in places:
            torch.testing.assert_close(found[places[index]], x)
    assert found["relu5_1"].shape == (1, 512, 2, 3)
    assert list(found) == list(LAYERS)


def test_weights_come_from_a_file_and_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "vgg16.pth"
    torch.save(state_of(torchvision_layers("relu2_2")), path)
    network = open_vgg16(path, ("relu2_2", "relu1_2"), "options.vgg16", "options.perceptual")
    assert len(network.convolutions) == 4
    assert not any(parameter.requires_grad for parameter in network.parameters())
    got = torch.rand(1, 3, 16, 16, requires_grad=True)
    want = torch.rand(1, 3, 16, 16, requires_grad=True)
    distances = feature_distances(network, got, want, ("relu1_2", "relu2_2"))
    expected = F.mse_loss(network(got, ["relu2_2"])["relu2_2"], network(want, ["relu2_2"])["relu2_2"])
    torch.testing.assert_close(distances["relu2_2"], expected)
    distances["relu2_2"].backward()
    assert got.grad is not None
    assert bool(got.grad.any())
    assert want.grad is None
    assert all(not bool(d) for d in feature_distances(network, want, want, ("relu1_2", "relu2_2")).values())


def test_instance_normalised_features_forget_strength() -> None:
    network = VGG16("relu1_1")
    nn.init.constant_(network.convolutions[0].bias, 5.0)  # no ReLU cuts anything off
    picture = torch.rand(1, 3, 16, 16) * 0.1 + 0.4
    with torch.no_grad():
        weaker = network.mean + 0.5 * (picture - network.mean)
    plain = feature_distances(network, weaker, picture, ["relu1_1"])["relu1_1"]
    normalised = feature_distances(network, weaker, picture, ["relu1_1"], normalised=True)["relu1_1"]
    inner = network(picture, ["relu1_1"])["relu1_1"]
    assert inner.min() > 0
    assert plain > 1e-4
    assert normalised < 0.05  # not 0: the zero padding at the border does not scale along
    turned = feature_distances(network, picture.flip(3), picture, ["relu1_1"], normalised=True)["relu1_1"]
    assert turned > 10 * normalised


def test_a_missing_file_is_told_with_where_it_comes_from_and_how_to_do_without(tmp_path: Path) -> None:
    for path in (None, tmp_path / "absent.pth"):
        with pytest.raises(ValueError, match="no VGG16 weights") as raised:
            open_vgg16(path, ["relu2_2"], "options.vgg16", "options.perceptual")
        for part in ("vgg16-397923af.pth", "download.pytorch.org", "`options.vgg16: PATH`", "`options.perceptual: 0`"):
            assert part in str(raised.value)


def test_another_file_is_refused(tmp_path: Path) -> None:
    text, other = tmp_path / "text.pth", tmp_path / "other.pth"
    text.write_text("no weights")
    torch.save({"features.0.weight": torch.zeros(8, 3, 3, 3)}, other)
    with pytest.raises(ValueError, match=r"text\.pth cannot be read as weights"):
        open_vgg16(text, ["relu2_2"], "a", "b")
    with pytest.raises(ValueError, match=r"features\.0\.weight does not fit"):
        open_vgg16(other, ["relu2_2"], "a", "b")


def test_unknown_and_absent_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="no layer 'relu6_1'"):
        VGG16("relu6_1")
    with pytest.raises(ValueError, match="ends at relu1_2"):
        VGG16("relu1_2")(torch.rand(1, 3, 16, 16), ["relu2_1"])
