"""Writes tests/golden/quants/: blocks of every element type with the floats that the `gguf` Python
package decodes them to, and for the types it can encode, values with the bytes it encodes them to.

  quant_vectors.py OUT_DIR     needs numpy and gguf

<type>.decode  blocks of random bytes followed by their decoded float32 values
<type>.encode  float32 values followed by the encoded blocks
Counts are in the names of the test (kDecodeBlocks, kEncodeBlocks). Scales are random halves of
ordinary size, so that no value overflows; one block of each type is all zero bytes.
"""
import sys
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf.quants import dequantize, quantize

DECODE_BLOCKS = 4
ENCODE_BLOCKS = 8
# type: (elements, bytes, positions of half scales in a block)
LAYOUT = {
    "F16": (1, 2, []), "BF16": (1, 2, []), "Q8_0": (32, 34, [0]), "Q4_0": (32, 18, [0]),
    "Q2_K": (256, 84, [80, 82]), "Q3_K": (256, 110, [108]), "Q4_K": (256, 144, [0, 2]),
    "Q5_K": (256, 176, [0, 2]), "Q6_K": (256, 210, [208]), "IQ2_XXS": (256, 66, [0]),
    "MXFP4": (32, 17, []),
}
ENCODED = ["F16", "BF16", "Q8_0", "Q4_0", "MXFP4"]


def random_blocks(rng, name, count):
    elements, size, scales = LAYOUT[name]
    if elements == 1:
        bits = rng.integers(0, 65536, count * 64, dtype=np.uint16)
        values = bits.view(np.float16).astype(np.float32) if name == "F16" else \
            (bits.astype(np.uint32) << 16).view(np.float32)
        return bits[np.isfinite(values)][: count * 32].view(np.uint8)
    blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
    for at in scales:
        halves = rng.uniform(-0.5, 2.0, count).astype(np.float16)
        halves[1] = np.float16(3e-7)  # a subnormal scale
        blocks[:, at:at + 2] = halves.view(np.uint8).reshape(count, 2)
    if name == "MXFP4":
        blocks[:, 0] = [0, 1, 127, 140][:count]
    blocks[count - 1] = 0
    return blocks.reshape(-1)


def random_values(rng, name, count):
    elements = LAYOUT[name][0]
    n = count * (32 if elements == 1 else elements)
    values = (rng.standard_normal(n) * 10.0 ** rng.integers(-4, 4, n)).astype(np.float32)
    if elements != 1:
        values = (rng.standard_normal((count, elements)) *
                  10.0 ** rng.integers(-3, 3, (count, 1))).astype(np.float32)
        values[count - 1] = 0
        values = values.reshape(-1)
    return values


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(20260731)
    for name in LAYOUT:
        blocks = random_blocks(rng, name, DECODE_BLOCKS)
        decoded = dequantize(blocks, Type[name]).astype(np.float32)
        (out / f"{name.lower()}.decode").write_bytes(blocks.tobytes() + decoded.tobytes())
        if name in ENCODED:
            values = random_values(rng, name, ENCODE_BLOCKS)
            encoded = np.ascontiguousarray(quantize(values, Type[name]))
            (out / f"{name.lower()}.encode").write_bytes(values.tobytes() + encoded.tobytes())


main()
