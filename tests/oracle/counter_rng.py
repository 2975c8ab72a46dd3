"""The counter-based generator of core/model/counter_rng.hpp, vectorised with numpy.

Every random weight of a synthetic model is a pure function of (seed, tensor name, element index), so
Python and C++ produce the same float32 values without sharing a file.

    fnv1a64(name)  64-bit FNV-1a over the UTF-8 bytes of the tensor name
    splitmix64(x)  x += 0x9E3779B97F4A7C15; x = (x ^ x>>30) * 0xBF58476D1CE4E5B9;
                   x = (x ^ x>>27) * 0x94D049BB133111EB; return x ^ x>>31      (all modulo 2^64)
    key            splitmix64(seed ^ fnv1a64(name))
    raw(i)         splitmix64(key + i * 0x9E3779B97F4A7C15)
    normal(i)      (a + b + c + d - 131070) / 37837.2 with a..d the four 16-bit fields of raw(i)
    value(i)       float32(offset + scale * normal(i)), product and sum each rounded to double

Element i is the flat index in file order (dims[0] fastest), so numpy shapes are the reversed dims.
"""
import numpy as np

GOLDEN = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def fnv1a64(text):
    h = 0xCBF29CE484222325
    for byte in text.encode("utf-8"):
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return h


def splitmix64(x):
    """x: numpy uint64 array; returns an array of the same shape."""
    x = np.asarray(x, dtype=np.uint64)
    with np.errstate(over="ignore"):
        x = x + np.uint64(GOLDEN)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


class CounterRng:
    def __init__(self, seed, name):
        self.key = splitmix64(np.array([(seed ^ fnv1a64(name)) & MASK], dtype=np.uint64))[0]

    def raw(self, count, begin=0):
        index = np.arange(begin, begin + count, dtype=np.uint64)
        with np.errstate(over="ignore"):
            return splitmix64(self.key + index * np.uint64(GOLDEN))

    def normal(self, count, begin=0):
        bits = self.raw(count, begin)
        total = np.zeros(count, dtype=np.int64)
        for shift in (0, 16, 32, 48):
            total += ((bits >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.int64)
        return (total - 131070).astype(np.float64) / 37837.2

    def values(self, shape, scale, offset=0.0, begin=0):
        """float32 array of `shape` (numpy order: the reverse of GGUF dims)."""
        count = int(np.prod(shape))
        flat = np.float64(offset) + np.float64(scale) * self.normal(count, begin)
        return flat.astype(np.float32).reshape(shape)

    def table(self, rows, used, experts):
        """int32 [rows, used]: `used` distinct expert ids per row, by a partial Fisher-Yates shuffle.

        Draw j of row t takes raw(t * used + j) modulo (experts - j) as an index into the ids not yet
        drawn; the drawn slot is swapped with slot experts - 1 - j.
        """
        bits = self.raw(rows * used).reshape(rows, used)
        out = np.zeros((rows, used), dtype=np.int32)
        for t in range(rows):
            ids = list(range(experts))
            for j in range(used):
                left = experts - j
                pick = int(bits[t, j]) % left
                out[t, j] = ids[pick]
                ids[pick], ids[left - 1] = ids[left - 1], ids[pick]
        return out


if __name__ == "__main__":
    rng = CounterRng(1, "blk.0.attn_norm.weight")
    print("key   ", hex(int(rng.key)))
    print("raw   ", [hex(int(x)) for x in rng.raw(4)])
    print("normal", [x.hex() for x in rng.normal(4)])
    print("values", [float(x).hex() for x in rng.values((4,), 0.1, 1.0)])
    print("table ", CounterRng(7, "blk.0.ffn_gate_tid2eid.weight").table(4, 3, 8).tolist())
