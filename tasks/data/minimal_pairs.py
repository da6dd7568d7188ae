"""Minimal pairs of sentences that ask what an accuracy cannot tell: has a model understood `not`, `very` and `but`?

As in Ribeiro et al., "Beyond Accuracy: Behavioral Testing of NLP Models with CheckList" (ACL 2020): two sentences
differ in one thing, and what that must do to the model's answer is known without a label. Every word is among the 496
that a vocabulary of `num_words=500` keeps of IMDB, so no model can be excused by a word that it never saw.

Two things to know before reading a pass rate: a model that always gives one and the same answer passes every pair of
`names` and no other; and most sentences are far shorter than the reviews that the models learn from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

from tasks.data.split import INDEX_FROM, START_TOKEN

# Raise it when the suite changes, so that pass rates of two versions are never compared.
VERSION = 1

# By category: what must hold of the two probabilities that the review is positive; `has_passed` says it exactly.
EXPECTATIONS = {
    "negation": "flip",
    "intensifiers": "rise",
    "but_turns": "flip",
    "last_sentence": "flip",
    "names": "same",
}


@dataclass(frozen=True)
class MinimalPair:
    """Two sentences that differ in one thing.

    Attributes:
        identifier: The category and a number from 01: "negation-03".
        category: A key of `EXPECTATIONS`.
        first: Plain lower-case words with blanks between. Where the two must flip, the positive one; where the
            probability must rise, the more positive one.
        second: Its counterpart.
    """

    identifier: str
    category: str
    first: str
    second: str


# The second negates the first; or the first negates what is bad, which is harder, as its bad words all stay.
NEGATION = (
    ("this movie is good", "this movie is not good"),
    ("the acting was great", "the acting wasn't great"),
    ("this comedy is funny", "this comedy isn't funny"),
    ("i do like this film", "i don't like this film"),
    ("i did enjoy the story", "i didn't enjoy the story"),
    ("i can recommend this movie", "i can't recommend this movie"),
    ("you will love this film", "you will never love this film"),
    ("the story does work well", "the story doesn't work well"),
    ("everything in this film works", "nothing in this film works"),
    ("there is something special about this movie", "there is nothing special about this movie"),
    ("i think this is a good movie", "i don't think this is a good movie"),
    ("i could watch this film again", "i couldn't watch this film again"),
    ("this movie is not bad at all", "this movie is bad"),
    ("the acting wasn't bad", "the acting was bad"),
    ("this story isn't boring", "this story is boring"),
    ("it is never boring", "it is always boring"),
    ("this film was not a waste of time", "this film was a waste of time"),
    ("there is nothing wrong with this movie", "there is something wrong with this movie"),
    ("i don't think the script is stupid", "i think the script is stupid"),
    ("no one will find this film boring", "everyone will find this film boring"),
)

# The first is the more positive: good words with more behind them or less taken away, bad words the other way round.
INTENSIFIERS = (
    ("this movie is very good", "this movie is good"),
    ("the acting is really great", "the acting is great"),
    ("the kids in this film are so funny", "the kids in this film are funny"),
    ("i absolutely loved this film", "i loved this film"),
    ("i truly enjoy his work", "i enjoy his work"),
    ("the ending is totally perfect", "the ending is perfect"),
    ("this is the best film ever", "this is the best film"),
    ("this story is interesting", "this story is kind of interesting"),
    ("the whole show is entertaining", "the whole show is sort of entertaining"),
    ("it was fun", "it was almost fun"),
    ("this movie is bad", "this movie is very bad"),
    ("the plot is stupid", "the plot is really stupid"),
    ("the whole film was boring", "the whole film was so boring"),
    ("the dialogue is awful", "the dialogue is completely awful"),
    ("this film makes no sense", "this film makes absolutely no sense"),
    ("the effects are terrible", "the effects are truly terrible"),
    ("this is the worst film", "this is the worst film ever"),
    ("the story is a bit boring", "the story is boring"),
    ("the script is a little stupid", "the script is stupid"),
    ("the acting is kind of poor", "the acting is poor"),
)

# What comes after the turn decides. The two words stand in this order in the first sentence and swapped in the second,
# so a model that only counts words gives both the same answer.
BUT_TURNS = (
    ("the acting was {} but the movie was {}", "bad", "great"),
    ("the script is {} but the film is {}", "poor", "wonderful"),
    ("the beginning is {} but the rest is {}", "boring", "excellent"),
    ("the first half is {} but the second half is {}", "stupid", "funny"),
    ("the book was {} but this movie is {}", "awful", "beautiful"),
    ("it should be {} but it is {}", "terrible", "good"),
    ("everyone said it was {} but i thought it was {}", "boring", "great"),
    ("my friends say it is {} but i think it is {}", "stupid", "wonderful"),
    ("it looks like a {} movie but it is a {} movie", "bad", "good"),
    ("the first film is the {} but this one is the {}", "worst", "best"),
    ("the effects are {} but overall it is a {} film", "terrible", "great"),
    ("other people {} this film but i {} it", "didn't like", "loved"),
    ("his other movies are {} but this one is {}", "awful", "perfect"),
    ("it is {} at first but then it becomes {}", "boring", "interesting"),
    ("although the plot is {} the movie is {}", "poor", "excellent"),
    ("although the music was {} the film was {}", "boring", "beautiful"),
    ("though the dialogue is {} the film as a whole is {}", "stupid", "entertaining"),
    ("despite the {} script this is a {} film", "terrible", "wonderful"),
    ("the title is {} yet the movie is {}", "stupid", "amazing"),
    ("the last episode was {} however this episode is {}", "awful", "fun"),
)

# Every opening goes before every verdict: nothing to judge by, good things, bad things, both, what others think.
OPENINGS = (
    "i saw this film last night with my wife and a few friends it is about a boy who becomes a killer",
    "the first few minutes are good the cast looks great and michael is very funny as the father the music is beautiful"
    " and there is some nice camera work",
    "the beginning is boring the plot makes no sense and some of the acting is awful the dialogue is stupid and the"
    " effects look like they were done by kids i know all of this and i watched it again last night",
    "there are good things and bad things to say the story is interesting and the actors try hard but the dialogue is"
    " poor and there is too much music some scenes are wonderful and others are boring",
    "most people i know did not like the book and a few others really loved it i never read it so i came to this movie"
    " without any idea of what it would be",
)
VERDICTS = (
    ("overall it is a great movie and i loved it", "overall it is a terrible movie and i want my money back"),
    ("in the end i can recommend it to everyone", "in the end i can't recommend it to anyone"),
    ("it is one of the best films i have ever seen", "it is one of the worst films i have ever seen"),
    ("give it a try you will love everything about it", "don't waste your time it is stupid and boring"),
)

# Who it is about says nothing about the film.
NAMES = (
    ("{} is excellent in this movie", "john", "michael"),
    ("{} is awful in this movie", "john", "michael"),
    ("the director {} has made a beautiful film", "john", "michael"),
    ("i think {} wasn't the best actor for this role", "john", "michael"),
    ("{} was very funny and i loved the story", "he", "she"),
    ("{} is terrible and so is the script", "he", "she"),
    ("this is {} best work so far", "his", "her"),
    ("it is one of {} worst performances", "his", "her"),
    ("i enjoy watching {} in everything", "him", "her"),
    ("i didn't like {} in this film", "him", "her"),
    ("the {} who plays the killer is amazing", "man", "woman"),
    ("the {} in the main role is boring", "man", "woman"),
    ("the {} in this film are wonderful characters", "men", "women"),
    ("the dialogue between the {} is stupid", "men", "women"),
    ("the {} gives a perfect performance", "father", "mother"),
    ("even my {} couldn't watch this movie until the end", "father", "mother"),
    ("a great drama about the life of a young {}", "boy", "girl"),
    ("a boring comedy about a {} at school", "boy", "girl"),
    ("the {} man is the best character in the film", "black", "white"),
    ("the {} woman is terrible in every scene", "black", "white"),
)


def number_pairs(category: str, sentences: Iterable[tuple[str, str]]) -> tuple[MinimalPair, ...]:
    """Return the pairs of one category, numbered from 01."""
    return tuple(
        MinimalPair(f"{category}-{number:02}", category, first, second)
        for number, (first, second) in enumerate(sentences, start=1)
    )


PAIRS = (
    *number_pairs("negation", NEGATION),
    *number_pairs("intensifiers", INTENSIFIERS),
    *number_pairs("but_turns", ((text.format(bad, good), text.format(good, bad)) for text, bad, good in BUT_TURNS)),
    *number_pairs(
        "last_sentence",
        ((f"{opening} {good}", f"{opening} {bad}") for opening, (good, bad) in product(OPENINGS, VERDICTS)),
    ),
    *number_pairs("names", ((text.format(one), text.format(other)) for text, one, other in NAMES)),
)


def has_passed(category: str, first: float, second: float) -> bool:
    """Return whether a model's probabilities, that the first and the second sentence are positive, are as they must be.

    - "flip": the first is called positive and the second negative. A model that guesses passes a quarter.
    - "rise": the first has the higher probability. A model that guesses passes half.
    - "same": both are called the same, and their probabilities differ by at most 0.1.

    A sentence is called positive where its probability is above 0.5.

    Example:
        >>> has_passed("negation", 0.8, 0.3), has_passed("intensifiers", 0.8, 0.9), has_passed("names", 0.8, 0.72)
        (True, False, True)
    """
    expectation = EXPECTATIONS[category]
    if expectation == "flip":
        return first > 0.5 >= second
    if expectation == "rise":
        return first > second
    # Rounded, as 0.8 - 0.7 is a little more than 0.1.
    return (first > 0.5) == (second > 0.5) and round(abs(first - second), 6) <= 0.1


def encode_sentence(sentence: str, word_index: Mapping[str, int], num_words: int) -> list[int] | None:
    """Return a start token and each word's rank plus 3, or None where the vocabulary lacks one of the words.

    Example:
        >>> encode_sentence("the movie", {"the": 1, "movie": 17}, num_words=500)
        [1, 4, 20]
        >>> encode_sentence("the movie", {"the": 1, "movie": 17}, num_words=20)
    """
    tokens = [word_index.get(word, num_words) + INDEX_FROM for word in sentence.split()]
    return [START_TOKEN, *tokens] if all(token < num_words for token in tokens) else None


def encode_pairs(word_index: Mapping[str, int], num_words: int) -> list[tuple[MinimalPair, list[int], list[int]]]:
    """Return the pairs whose words the vocabulary all knows, each with the tokens of its two sentences.

    All of them with IMDB's word index and `num_words=500`; another corpus or a smaller vocabulary leaves fewer or none.
    """
    encoded = []
    for pair in PAIRS:
        first = encode_sentence(pair.first, word_index, num_words)
        second = encode_sentence(pair.second, word_index, num_words)
        if first is not None and second is not None:
            encoded.append((pair, first, second))
    return encoded
