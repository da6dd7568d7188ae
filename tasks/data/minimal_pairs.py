"""Minimal pairs of sentences, which test what an accuracy does not: does a model understand `not`, `very` and `but`?

The method is that of Ribeiro et al., "Beyond Accuracy: Behavioral Testing of NLP Models with CheckList" (ACL 2020): two
sentences differ in one thing, and the effect on the prediction must be a known one, without any label. The vocabulary
of IMDB with `num_words=500` has 496 words, and the sentences use no others, so that unknown words explain no failure.

To read a pass rate, note two things. A model that always gives the same answer passes all pairs of `names` and no
others. And most sentences are much shorter than the reviews that the models were trained on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

from tasks.data.split import INDEX_FROM, START_TOKEN

# Raise it when a pair or an expectation changes, so that pass rates of two versions are not compared.
VERSION = 1

# By category, what the two probabilities that the review is positive must do; `has_passed` defines it.
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
        first: Words in lower case with spaces between them. The positive sentence if the expectation is "flip", and the
            more positive one if it is "rise".
        second: The other sentence.
    """

    identifier: str
    category: str
    first: str
    second: str


# The second sentence negates the first. Or the first negates something bad, which is harder, because it has bad words.
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

# The first sentence is the more positive one: its good words are stronger, or its bad words are weaker.
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

# The part after "but" or its synonym decides. The first sentence has the two words in this order, the second has them
# swapped. A model that only counts words gives both sentences the same probability.
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

# Each opening is combined with each verdict. The openings have no opinion, a good one, a bad one, both, and that of
# other people.
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

# The person in the sentence does not change the opinion of the film.
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
    """Return whether a model passes a pair. A sentence is classified as positive if its probability is above 0.5.

    - "flip": the first sentence is classified as positive and the second as negative. Guessing passes a quarter.
    - "rise": the first sentence has the higher probability. Guessing passes half.
    - "same": both sentences have the same class, and their probabilities differ by at most 0.1.

    Args:
        category: A key of `EXPECTATIONS`.
        first: The model's probability that the first sentence is positive, 0 to 1.
        second: The same for the second sentence.

    Example:
        >>> has_passed("negation", 0.8, 0.3), has_passed("intensifiers", 0.8, 0.9), has_passed("names", 0.8, 0.72)
        (True, False, True)
    """
    expectation = EXPECTATIONS[category]
    if expectation == "flip":
        return first > 0.5 >= second
    if expectation == "rise":
        return first > second
    # Rounded, because 0.8 - 0.7 is slightly more than 0.1 in floating point.
    return (first > 0.5) == (second > 0.5) and round(abs(first - second), 6) <= 0.1


def encode_sentence(sentence: str, word_index: Mapping[str, int], num_words: int) -> list[int] | None:
    """Return a start token and each word's rank plus 3; None if a word is outside the vocabulary.

    Example:
        >>> encode_sentence("the movie", {"the": 1, "movie": 17}, num_words=500)
        [1, 4, 20]
        >>> encode_sentence("the movie", {"the": 1, "movie": 17}, num_words=20)
    """
    tokens = [word_index.get(word, num_words) + INDEX_FROM for word in sentence.split()]
    return [START_TOKEN, *tokens] if all(token < num_words for token in tokens) else None


def encode_pairs(word_index: Mapping[str, int], num_words: int) -> list[tuple[MinimalPair, list[int], list[int]]]:
    """Return the pairs whose words are all in the vocabulary, each with the tokens of its two sentences.

    With IMDB's word index and `num_words=500`, these are all pairs. With another word index or a smaller vocabulary,
    there may be fewer or none.
    """
    encoded = []
    for pair in PAIRS:
        first = encode_sentence(pair.first, word_index, num_words)
        second = encode_sentence(pair.second, word_index, num_words)
        if first is not None and second is not None:
            encoded.append((pair, first, second))
    return encoded
