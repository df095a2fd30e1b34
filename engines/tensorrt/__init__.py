"""NVIDIA TensorRT 10 and 11 and TensorRT-RTX, through one code path: the model's file states the precision."""
