"""Writes an oracle model in the official safetensors layout: tensors, config.json, optionally encoded weights.

    python3 save_checkpoint.py oracle-a DIR                 F32 everywhere
    python3 save_checkpoint.py oracle-a DIR --encoding bf16 matrices BF16, the rest F32
    python3 save_checkpoint.py oracle-a DIR --encoding fp8  projections FP8 e4m3 with a UE8M0 scale per 128 x 128 block,
                                                            experts FP4 with a UE8M0 scale per 32, the rest BF16 / F32
"""
import argparse
import json
import struct
from pathlib import Path

import numpy as np

import shapes

FP4 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], dtype=np.float32)


def e4m3_values():
    """The 256 values of e4m3fn by code; codes 0x7F and 0xFF are NaN."""
    code = np.arange(256)
    exponent, mantissa = (code >> 3) & 15, code & 7
    value = np.where(exponent == 0, mantissa * 2.0**-9, (8 + mantissa) * 2.0 ** (exponent - 10.0))
    value[(code & 127) == 127] = np.nan
    return np.where(code > 127, -value, value).astype(np.float32)


def scale_code(amax, largest):
    """UE8M0 code of the smallest power of two s with amax / s <= largest."""
    mantissa, exponent = np.frexp(np.maximum(amax, 1e-4).astype(np.float64) / largest)
    return (np.where(mantissa == 0.5, exponent - 1, exponent) + 127).astype(np.uint8)


def nearest(values, table):
    """Index of the nearest entry of an ascending table, ties to the even index."""
    middle = (table[1:] + table[:-1]) / 2
    low, high = np.searchsorted(middle, values, "left"), np.searchsorted(middle, values, "right")
    return np.where(low % 2 == 0, low, high)


def encode_fp8(array):
    """(codes, scale codes): one scale per 128 x 128 block, the last blocks may be short."""
    rows, columns = array.shape
    codes = np.zeros((rows, columns), np.uint8)
    scales = np.zeros((-(-rows // 128), -(-columns // 128)), np.uint8)
    table = e4m3_values()[:127]
    for i in range(scales.shape[0]):
        for j in range(scales.shape[1]):
            at = np.s_[i * 128:(i + 1) * 128, j * 128:(j + 1) * 128]
            scales[i, j] = scale_code(np.abs(array[at]).max(), 448.0)
            scaled = array[at] / np.float32(2.0 ** (int(scales[i, j]) - 127))
            codes[at] = nearest(np.abs(scaled), table) | (np.signbit(scaled) << 7)
    return codes, scales


def encode_fp4(array):
    """(packed codes, scale codes): one scale per 32 inputs, the even input in the low nibble."""
    rows, columns = array.shape
    blocks = array.reshape(rows, columns // 32, 32)
    scales = scale_code(np.abs(blocks).max(axis=2), 6.0)
    scaled = blocks / np.exp2(scales.astype(np.float32) - 127)[..., None]
    codes = (nearest(np.abs(scaled), FP4) | (np.signbit(scaled) << 3)).astype(np.uint8).reshape(rows, columns)
    return codes[:, 0::2] | (codes[:, 1::2] << 4), scales


def decode_fp8(codes, scales):
    factor = np.exp2(scales.astype(np.float32) - 127).repeat(128, 0).repeat(128, 1)
    return e4m3_values()[codes] * factor[: codes.shape[0], : codes.shape[1]]


def decode_fp4(packed, scales):
    codes = np.stack([packed & 15, packed >> 4], axis=-1).reshape(packed.shape[0], -1)
    value = np.where(codes & 8, -FP4[codes & 7], FP4[codes & 7])
    return value * np.exp2(scales.astype(np.float32) - 127).repeat(32, 1)


def to_bf16(array):
    bits = np.ascontiguousarray(array, dtype=np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def is_projection(name):
    """The weights that the official release stores in FP8."""
    return name.endswith(tuple(f"attn.{part}.weight" for part in ("wq_a", "wq_b", "wkv", "wo_a", "wo_b"))) or \
        name.endswith("indexer.wq_b.weight") or ".shared_experts." in name


def encoded(shape, encoding):
    """name -> (safetensors type, array of the stored elements)."""
    out = {}
    for name, array in shapes.official_tensors(shape).items():
        if array.dtype == np.int32:
            out[name] = ("I64", array.astype(np.int64))
        elif encoding == "fp8" and ".ffn.experts." in name:
            packed, scales = encode_fp4(array)
            out[name] = ("I8", packed)
            out[name[:-6] + "scale"] = ("F8_E8M0", scales)
        elif encoding == "fp8" and is_projection(name):
            codes, scales = encode_fp8(array)
            out[name] = ("F8_E4M3", codes)
            out[name[:-6] + "scale"] = ("F8_E8M0", scales)
        elif encoding != "f32" and name.endswith(".weight") and array.ndim == 2 and ".gate." not in name:
            out[name] = ("BF16", to_bf16(array))
        else:
            out[name] = ("F32", array)
    return out


def write_safetensors(path, tensors):
    """The container: u64 header size, JSON header padded with spaces to 8, then the bytes."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, (kind, array) in tensors.items():
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, array in tensors.values():
            file.write(np.ascontiguousarray(array).tobytes())


def save(shape, folder, encoding="f32"):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = shapes.official_config(shape)
    if encoding == "fp8":
        config["torch_dtype"] = "bfloat16"
        config["expert_dtype"] = "fp4"
        config["quantization_config"] = {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic",
                                         "scale_fmt": "ue8m0", "weight_block_size": [128, 128]}
    elif encoding == "bf16":
        config["torch_dtype"] = "bfloat16"
    write_safetensors(folder / "model.safetensors", encoded(shape, encoding))
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=shapes.SHAPES)
    parser.add_argument("folder")
    parser.add_argument("--encoding", choices=("f32", "bf16", "fp8"), default="f32")
    arguments = parser.parse_args()
    save(shapes.SHAPES[arguments.shape], arguments.folder, arguments.encoding)


if __name__ == "__main__":
    main()
