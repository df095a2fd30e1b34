"""Precision as part of the model: the file itself says what is computed in fp16 or int8, and every engine obeys it."""
