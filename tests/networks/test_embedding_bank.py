"""What an embedding bank makes of vectors that are not known, in torch and exported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn

from networks.embedding_bank import EmbeddingBank


@pytest.fixture
def bank() -> EmbeddingBank:
    torch.manual_seed(0)
    fitted = EmbeddingBank(dimension=16, classes=4, channels=(4, 8, 12))
    fitted.fit(3 + torch.randn(2, 16, 8, 8))
    return fitted


def test_an_embedding_of_zeros_is_not_known(bank: EmbeddingBank) -> None:
    knowledge = bank.from_embedding(torch.zeros(1, 16, 4, 5), (33, 40))
    assert all(not feature.any() for feature in knowledge.features)
    torch.testing.assert_close(knowledge.probabilities, torch.full((1, 4, 33, 40), 0.25))


def test_it_counts_as_the_mean_where_others_are_known(bank: EmbeddingBank) -> None:
    embedding = 3 + torch.randn(1, 16, 4, 4)
    holes, filled = embedding.clone(), embedding.clone()
    holes[:, :, 1:3, 2] = 0
    filled[:, :, 1:3, 2] = bank.mean[:, None]
    one, two = bank.from_embedding(holes, (32, 32)), bank.from_embedding(filled, (32, 32))
    for a, b in zip((*one.features, one.logits), (*two.features, two.logits), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


def test_one_zero_among_others_is_a_value(bank: EmbeddingBank) -> None:
    embedding = torch.ones(1, 16, 2, 2)
    embedding[:, 3] = 0
    assert bank.from_embedding(embedding, (16, 16)).features[0].abs().min() > 0


class _Features(nn.Module):
    def __init__(self, bank: EmbeddingBank) -> None:
        super().__init__()
        self.bank = bank

    def forward(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        knowledge = self.bank.from_embedding(embedding, (32, 32))
        return knowledge.features[0], knowledge.logits


def test_exported_it_knows_as_little(bank: EmbeddingBank, tmp_path: Path) -> None:
    embedding = 3 + torch.randn(1, 16, 4, 4)
    embedding[:, :, :2] = 0
    path = tmp_path / "bank.onnx"
    torch.onnx.export(_Features(bank).eval(), (embedding,), path, input_names=["embedding"], dynamo=True, verbose=False)
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for given in (embedding, torch.zeros_like(embedding)):
        wanted = bank.from_embedding(given, (32, 32))
        feature, logits = session.run(None, {"embedding": given.numpy()})
        np.testing.assert_allclose(feature, wanted.features[0].numpy(), atol=1e-4)
        np.testing.assert_allclose(logits, wanted.logits.numpy(), atol=1e-4)
