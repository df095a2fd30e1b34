"""Segment Anything (Kirillov et al., ICCV 2023) on ONNX Runtime: embeddings of pictures, masks of points, regions."""
