"""The vector file of one prompt of one oracle model; tests/golden/oracle_vectors.hpp reads it.

All little endian. Header of 64 bytes: magic "DS4ORCL1", u64 seed of the weights, then u32 each: version (1), tokens T,
vocab V, layers L, experts used K, index top-k I, sparse layers S, logit positions N, stream layers X (0 or L),
streams C, width D, zero. Arrays follow in this order, each padded with zeros to a multiple of 8 bytes:

    tokens           u32 [T]
    sparse_layers    u32 [S]           layer number of each sparse (ratio 4) layer
    positions        u32 [N]           positions of the rows of `logits`
    logits           f32 [N, V]
    top1             u32 [T]           token with the largest logit at every position
    top_gap          f32 [T]           largest minus second largest logit
    experts          u8  [L, T, K]     experts chosen, by descending score (hash layers: in table order)
    expert_margins   f32 [L, T]        last chosen minus best rejected score + bias; +inf in hash layers
    index_rows       u16 [S, T, I]     compressed rows chosen, ascending, 0xffff behind the last
    index_margins    f32 [S, T]        (last chosen - best rejected) / larger magnitude of the two; +inf if none is rejected
    streams          f32 [X, T, C, D]  residual streams after each layer
"""
import struct

import numpy as np

MAGIC = b"DS4ORCL1"
VERSION = 1
NO_ROW = 0xFFFF
ARRAYS = (("tokens", "<u4"), ("sparse_layers", "<u4"), ("positions", "<u4"), ("logits", "<f4"), ("top1", "<u4"),
          ("top_gap", "<f4"), ("experts", "u1"), ("expert_margins", "<f4"), ("index_rows", "<u2"),
          ("index_margins", "<f4"), ("streams", "<f4"))


def write(path, seed, vocab, arrays):
    """arrays: name -> numpy array of the shape above."""
    layers, tokens, used = arrays["experts"].shape
    sparse, _, top_k = arrays["index_rows"].shape
    stream_layers, _, streams, width = arrays["streams"].shape
    with open(path, "wb") as file:
        file.write(MAGIC + struct.pack("<Q12I", seed, VERSION, tokens, vocab, layers, used, top_k, sparse,
                                       len(arrays["positions"]), stream_layers, streams, width, 0))
        for name, kind in ARRAYS:
            data = np.ascontiguousarray(arrays[name]).astype(kind).tobytes()
            file.write(data + b"\0" * (-len(data) % 8))
