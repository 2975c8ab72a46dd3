"""Golden vectors of the tokenizer, from the Hugging Face `tokenizers` library.

Trains a small byte-level BPE with the split patterns and special tokens of DeepSeek V4, encodes
random texts with it, and writes tests/golden/tokenizer/:

  vocab.txt    one token per line: "<type> <token as in GGUF files>", type as in token_type
  merges.txt   one merge per line
  texts.bin    per text: length (u16, little-endian), UTF-8 bytes
  ids.txt      per text two lines: ids without special tokens, ids with them recognised ("=" where
               both are the same), as decimal numbers

Needs tokenizers 0.2x and a Python whose unicodedata is of Unicode 14 (3.11), the version of PCRE2
10.40 to 10.42: only code points assigned there are used, so that the tables of the two regular
expression engines agree. Run from the root of the repository: python tests/oracle/tokenizer_vectors.py
"""

import json
import pathlib
import random
import struct
import unicodedata

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

SEED = 20260423
COUNT = 10_000
VOCABULARY = 2_000
OUT = pathlib.Path(__file__).resolve().parents[1] / "golden" / "tokenizer"

CONTROL = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"]
USER_DEFINED = ["<｜User｜>", "<｜Assistant｜>", "<think>", "</think>", "｜DSML｜", "<｜latest_reminder｜>",
                "<｜action｜>", "<｜User｜><｜Assistant｜>"]  # the last one tests the longest match

WORDS = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
PATTERNS = [r"\p{N}{1,3}", r"[一-龥぀-ゟ゠-ヿ]+", WORDS]

LATIN = ("the of and to in is that for it as with on be at by this from or an are was not have "
         "which can will one all their has been if more when would who so no out up into than "
         "tensor layer stream attention window ring token expert route scale index compressed "
         "Donaudampfschiff naïve façade übergrößenträger Ångström garçon Łódź señor").split()
CYRILLIC = "привет мир внимание слой окно сжатый это не так просто как кажется ёлка йод".split()
GREEK = "προσοχή στρώμα παράθυρο και το είναι ΑΒΓ".split()
HAN = "今天天气很好我们来测试一下分词器的正确性注意力机制窗口压缩龥一丁"
KANA = "ひらがなカタカナテストのトークナイザーです゛゜ヽヾー・ッャュョ"
HANGUL = "안녕하세요 세계 토크나이저 시험".split()
ARABIC = "مرحبا بالعالم اختبار ١٢٣٤".split()
HEBREW = "שלום עולם בדיקה".split()
INDIC = "नमस्ते दुनिया परीक्षण क्षत्रिय தமிழ் ไทยแลนด์ ทดสอบ १२३४५".split()
EMOJI = "😀👩‍👩‍👧‍👦🇩🇪👍🏽❤️🎉✨™©®"
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~“”‘’«»—–…、。・「」！？：；（）｜▁¿¡§¶†‰€£¥¢°±×÷≤≥≠∑∫√∞→⇒"
SPACES = [" ", " ", " ", "  ", "   ", "    ", "\t", "\n", "\n\n", "\r\n", " \n", "\n ", "\n  ", "\u00a0", "\u3000",
          "\u2003", "\u2028", "\u0085", "\u200b", "\u180e", "\v", "\f", "\r", " \t ", "\u202f"]
NUMBERS = ["0", "7", "42", "123", "1234", "12345", "3.14159", "1e-5", "0x1F", "２０２６", "Ⅷ", "½", "²", "〇", "一二三",
           "٣٤", "१२३४", "1,000,000"]
CODE = ["def f(x):\n    return x + 1\n", "for (int i = 0; i < n; ++i) {\n", "std::vector<int> v;\n", "#include <span>\n",
        "if (a && !b) ", "x = {'k': [1, 2, 3]}", "</div>\n", "// TODO\n", "${HOME}/bin", "a->b->c();", "SELECT * FROM t;",
        "f\"{x!r:>10}\"", "_private_name", "camelCaseName", "foo.bar(baz)", "((foo", "(foo", ">;\n", "\t\treturn;\n"]


def assigned(character):
    return unicodedata.category(character) not in ("Cn", "Cs", "Co")


def random_character(rng):
    while True:
        top = rng.choice([0x80, 0x250, 0x700, 0x1200, 0x3000, 0xFFFF, 0x1F9FF, 0x2FA1F, 0xE01EF])
        character = chr(rng.randrange(top))
        if assigned(character):
            return character


def fragment(rng):
    kind = rng.randrange(18)
    if kind < 4:
        return rng.choice(LATIN)
    if kind == 4:
        return rng.choice([str.upper, str.capitalize, str.swapcase])(rng.choice(LATIN))
    if kind == 5:
        return rng.choice(CYRILLIC + GREEK)
    if kind == 6:
        begin = rng.randrange(len(HAN))
        return HAN[begin:begin + rng.randint(1, 6)]
    if kind == 7:
        begin = rng.randrange(len(KANA))
        return KANA[begin:begin + rng.randint(1, 6)]
    if kind == 8:
        return rng.choice(HANGUL + ARABIC + HEBREW + INDIC)
    if kind == 9:
        return rng.choice(EMOJI) + rng.choice(["", "\u200d", "\ufe0f", "\u0301", "\u20e3"])
    if kind == 10:
        return "".join(rng.choice(PUNCTUATION) for _ in range(rng.randint(1, 4)))
    if kind == 11:
        return rng.choice(NUMBERS)
    if kind == 12:
        return str(rng.randrange(10 ** rng.randint(1, 9)))
    if kind == 13:
        return rng.choice(CODE)
    if kind == 14:
        return rng.choice(CONTROL + USER_DEFINED)
    if kind == 15:
        special = rng.choice(CONTROL + USER_DEFINED)  # broken ones stay text
        cut = rng.randint(1, len(special) - 1)
        return special[:cut] + rng.choice(["", " ", "x"]) + (special[cut:] if rng.random() < 0.5 else "")
    if kind == 16:
        return "".join(random_character(rng) for _ in range(rng.randint(1, 4)))
    return rng.choice(SPACES) * rng.randint(1, 3)


def random_text(rng):
    target = rng.choice([5, 10, 20, 30, 45, 60])
    text = ""
    while len(text) < target:
        text += fragment(rng)
        if rng.random() < 0.45:
            text += rng.choice(SPACES)
    return text[:target + 10]


def train(rng):
    tokenizer = Tokenizer(models.BPE())
    splits = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in PATTERNS]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        splits + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
        special_tokens=[])
    tokenizer.train_from_iterator((random_text(rng) for _ in range(20_000)), trainer)
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in CONTROL])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in USER_DEFINED])
    return tokenizer


def write_vocabulary(tokenizer):
    model = json.loads(tokenizer.to_str())["model"]
    specials = {tokenizer.token_to_id(t): (3, t) for t in CONTROL}
    specials |= {tokenizer.token_to_id(t): (4, t) for t in USER_DEFINED}
    by_id = {i: (1, t) for t, i in model["vocab"].items()} | specials
    assert sorted(by_id) == list(range(len(by_id)))
    lines = [f"{by_id[i][0]} {by_id[i][1]}" for i in range(len(by_id))]
    (OUT / "vocab.txt").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    (OUT / "merges.txt").write_text("\n".join(merges) + "\n", encoding="utf-8", newline="\n")


def main():
    assert unicodedata.unidata_version == "14.0.0", unicodedata.unidata_version
    OUT.mkdir(parents=True, exist_ok=True)
    tokenizer = train(random.Random(SEED))
    write_vocabulary(tokenizer)
    # A second tokenizer without the added tokens is the "text" mode.
    plain = Tokenizer(tokenizer.model)
    plain.pre_tokenizer = tokenizer.pre_tokenizer
    rng = random.Random(SEED + 1)
    texts, ids = bytearray(), []
    for _ in range(COUNT):
        text = random_text(rng)
        data = text.encode("utf-8")
        texts += struct.pack("<H", len(data)) + data
        without = plain.encode(text, add_special_tokens=False).ids
        recognised = tokenizer.encode(text, add_special_tokens=False).ids
        ids.append(" ".join(map(str, without)))
        ids.append("=" if recognised == without else " ".join(map(str, recognised)))
    (OUT / "texts.bin").write_bytes(texts)
    (OUT / "ids.txt").write_text("\n".join(ids) + "\n", encoding="utf-8", newline="\n")
    print("tokenizers", tokenizers.__version__, "texts", COUNT, "bytes", len(texts))


if __name__ == "__main__":
    main()
