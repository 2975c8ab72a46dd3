"""Writes an oracle model in the official safetensors layout: tensors, config.json, optionally encoded weights.

    python3 save_checkpoint.py oracle-a DIR                 F32 everywhere
    python3 save_checkpoint.py oracle-a DIR --encoding bf16 matrices BF16, the rest F32
    python3 save_checkpoint.py oracle-a DIR --encoding fp8  projections FP8 e4m3 with a UE8M0 scale per 128 x 128 block,
                                                            experts FP4 with a UE8M0 scale per 32, the rest BF16 / F32
    python3 save_checkpoint.py mini ../golden/checkpoint --encoding fp8 --extras
                                                            the checkpoint of the converter's tests: also tokenizer.json
                                                            and digests.txt, what each tensor of the GGUF must decode to
"""
import argparse
import json
import struct
from pathlib import Path

import numpy as np

import shapes
from counter_rng import MASK

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


def decoded(shape, encoding):
    """Official name -> float32 values (integers for tables) that the stored bytes stand for."""
    stored, out = encoded(shape, encoding), {}
    for name, (kind, array) in stored.items():
        if kind == "F8_E8M0":
            continue
        if kind == "F8_E4M3":
            out[name] = decode_fp8(array, stored[name[:-6] + "scale"][1])
        elif kind == "I8":
            out[name] = decode_fp4(array, stored[name[:-6] + "scale"][1])
        elif kind == "BF16":
            out[name] = (array.astype(np.uint32) << 16).view(np.float32)
        else:
            out[name] = array.astype(np.int32) if kind == "I64" else array
    return out


def fnv_of_bytes(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def digests(shape, encoding):
    """Lines "GGUF-name digest": 64-bit FNV-1a over the little-endian float32 (int32) values in file order."""
    values, lines = decoded(shape, encoding), []
    for name, dims in shapes.tensor_dims(shape):
        _, layer, suffix = name.split(".", 2) if name.startswith("blk.") else ("", "", name)
        if suffix in shapes.EXPERT_NAMES:
            part = shapes.EXPERT_NAMES[suffix]
            array = np.stack([values[f"layers.{layer}.ffn.experts.{e}.{part}.weight"] for e in range(dims[2])])
        else:
            array = values[f"layers.{layer}.{shapes.LAYER_NAMES[suffix]}" if layer else shapes.GLOBAL_NAMES[name]]
        lines.append(f"{name} {fnv_of_bytes(np.ascontiguousarray(array).tobytes()):016x}\n")
    return "".join(lines)


def tokenizer_json(shape):
    """A byte-level BPE of single symbols, two merges (one of each notation), two control and one added token."""
    vocab = {chr(ord("!") + i): 2 + i for i in range(shape.vocab - 8)}
    vocab.update({'"#': shape.vocab - 6, '$%': shape.vocab - 5})
    added = [(0, "<\uff5cbegin\u2581of\u2581sentence\uff5c>", True), (1, "<\uff5cend\u2581of\u2581sentence\uff5c>", True),
             (shape.vocab - 4, "<think>", False)]
    return {
        "version": "1.0",
        "added_tokens": [{"id": i, "content": text, "special": special} for i, text, special in added],
        "model": {"type": "BPE", "vocab": vocab, "merges": ['" #', ["$", "%"]]},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=shapes.CHECKPOINTS)
    parser.add_argument("folder")
    parser.add_argument("--encoding", choices=("f32", "bf16", "fp8"), default="f32")
    parser.add_argument("--extras", action="store_true")
    arguments = parser.parse_args()
    shape, folder = shapes.CHECKPOINTS[arguments.shape], Path(arguments.folder)
    save(shape, folder, arguments.encoding)
    if arguments.extras:
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(shape), ensure_ascii=False, indent=1) + "\n")
        (folder / "digests.txt").write_text(digests(shape, arguments.encoding))


if __name__ == "__main__":
    main()
