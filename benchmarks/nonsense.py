"""Queries that mean nothing to an encoder of English and Chinese captions, or nothing at all."""

from __future__ import annotations

from string import ascii_lowercase

import numpy as np

from search_core.encoders.prompts import known_words

_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890")
#: What gets into a search box by mistake.
_PASTED = (
    "SELECT * FROM cars WHERE colour = 'red'", "DROP TABLE users; --", "SELECT 1",
    "INSERT INTO people VALUES (1, 'man')", "UPDATE dogs SET top = NULL",
    "http://example.com/video/red-car.mp4", "https://www.example.org/?q=dog&page=2",
    "www.example.com", "ftp://files.example.net/van.zip", "rtsp://camera-3.local:554/stream",
    "def main(): return 0", "for i in range(10): print(i)", "import numpy as np",
    "console.log('person')", "<script>alert(1)</script>", "<div class='top'></div>",
    "{\"id\": 3, \"dog\": null}", "git commit -m 'fix'", "sudo apt-get install top",
    "rm -rf /tmp", "pip install black", "C:\\Users\\me\\Desktop\\van.jpg", "/var/log/syslog",
    "IMG_20231104_123456.jpg", "camera-3", "cam07", "id=4711", "user@example.com",
    "+44 20 7946 0958", "192.168.0.1", "AA:BB:CC:DD:EE:FF", "3.14159", "1 2 3 4 5", "42",
    "2026-11-29", "12:34:56", "Error 404", "0xDEADBEEF", "a=b+c", "x^2 + y^2 = z^2",
    "$100", "???", "...", "!!!", "-", "\"\"", "#hashtag", "@someone_else", "%20%20", "lol",
    "asdf", "test", "test 123", "foo bar baz", "lorem ipsum dolor sit amet",
    "consectetur adipiscing elit", "null", "undefined", "NaN", "true", "hello", "hi there",
)  # fmt: skip
_OTHER_LANGUAGES = (
    "ein rotes Auto", "eine Frau mit Regenschirm", "ein Hund im Schnee", "ein weisser Lieferwagen",
    "ein Mann auf einem Fahrrad", "ein leerer Parkplatz bei Nacht", "zwei Menschen", "der Bus",
    "une voiture rouge", "une femme avec un parapluie", "un chien dans la neige", "le camion blanc",
    "un homme sur un vélo", "un parking vide la nuit", "deux personnes", "le bus vert",
    "un coche rojo", "una mujer con paraguas", "un perro en la nieve", "una furgoneta blanca",
    "un hombre en bicicleta", "un aparcamiento vacío de noche", "dos personas", "el camión",
    "una macchina rossa", "una donna con l'ombrello", "un cane nella neve", "un furgone bianco",
    "um carro vermelho", "uma mulher com guarda-chuva", "um cão na neve", "um homem de bicicleta",
    "een rode auto", "een vrouw met een paraplu", "een hond in de sneeuw", "een witte bestelwagen",
    "en röd bil", "en kvinna med paraply", "en hund i snön", "en vit skåpbil", "to personer",
    "czerwony samochód", "kobieta z parasolem", "pies na śniegu", "biała furgonetka",
    "punainen auto", "nainen ja sateenvarjo", "koira lumessa", "kırmızı araba", "şemsiyeli kadın",
    "karda köpek", "piros autó", "egy nő esernyővel", "kutya a hóban", "červené auto",
    "xe hơi màu đỏ", "mobil merah", "seorang wanita dengan payung", "gari jekundu", "mbwa",
)  # fmt: skip
_ABSTRACT = (
    "the meaning of life", "why is this so slow", "quarterly revenue forecast", "true love",
    "freedom and justice", "the price of tea", "how do I reset my password", "good morning",
    "an interesting idea", "yesterday's decisions", "what is the capital of Peru", "be quick",
    "the theory of relativity", "happy new year", "inflation", "a difficult question", "help",
    "machine learning", "the end of history", "somewhere else", "our next meeting", "agenda",
    "supply and demand", "nostalgia", "to be or not to be", "copyright law", "thanks a lot",
    "the sound of silence", "terms and conditions", "a promise", "democracy", "next Tuesday",
    "an honest mistake", "prime numbers", "who wrote this", "season two episode three", "wisdom",
    "the smell of bread", "a bad joke", "zero-knowledge proofs", "cheap flights", "gravity",
    "生命的意义", "季度收入预测", "自由与正义", "怎么重置密码", "早上好", "昨天的决定", "相对论",
    "新年快乐",
    "通货膨胀", "机器学习", "供求关系", "民主", "质数", "谁写的这个", "面包的香味", "便宜机票",
    "万有引力",
    "你好", "测试", "测试一下", "谢谢", "为什么这么慢", "下次会议", "条款和条件",
)  # fmt: skip


def nonsense(count: int = 400, seed: int = 5) -> list[str]:
    """Return that many different queries about nothing.

    Two fifths are pasted text, other languages and what no picture can show; the others keys and
    letters struck by chance.
    """
    rng = np.random.default_rng(seed)
    found = dict.fromkeys((*_PASTED, *_OTHER_LANGUAGES, *_ABSTRACT))
    while len(found) < count * 7 // 10:
        rows = [_KEYS[at] for at in rng.integers(len(_KEYS), size=rng.integers(1, 4))]
        starts = [int(rng.integers(len(row) - 3)) for row in rows]
        found[" ".join(row[at : at + 6] for row, at in zip(rows, starts, strict=True))] = None
    while len(found) < count:
        words = (_drawn(rng, list(ascii_lowercase), 2, 9) for _ in range(rng.integers(1, 5)))
        found[" ".join("".join(word) for word in words)] = None
    return list(found)


def shuffled(encoder: str, count: int = 100, seed: int = 5) -> list[str]:
    """Return the words an encoder knows in no order: most name what may be there."""
    rng, own = np.random.default_rng(seed), sorted(known_words(encoder) or ())
    return [" ".join(_drawn(rng, own, 2, 6)) for _ in range(count)]


def _drawn(rng: np.random.Generator, pool: list[str], least: int, most: int) -> list[str]:
    return [pool[at] for at in rng.integers(len(pool), size=rng.integers(least, most + 1))]
