"""Everything the shop sells, what customers say of it, and one customer's orders."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum


class Category(Enum):
    """The parts of a household that the shop sells for."""

    KITCHEN = "Kitchen"
    TABLE = "Table"
    GARDEN = "Garden"

    @property
    def slug(self) -> str:
        """The category as an address names it: `?category=garden`."""
        return self.name.lower()


@dataclass(frozen=True)
class Review:
    """What one customer says of a product; `rating` is 1 to 5 pips."""

    author: str
    rating: int
    written: date
    title: str
    text: str


@dataclass(frozen=True)
class Product:
    """A thing to buy: its price in euro cents, its picture a file of the app's static folder."""

    slug: str
    name: str
    summary: str
    description: str
    category: Category
    cents: int
    image: str
    tone: str
    details: tuple[str, ...]
    reviews: tuple[Review, ...] = ()

    @property
    def rating(self) -> float:
        """The mean of the reviews' ratings, 1 to 5; 0 without a review."""
        if not self.reviews:
            return 0
        return sum(review.rating for review in self.reviews) / len(self.reviews)


@dataclass(frozen=True)
class Line:
    """So many of one product, in a basket or an order."""

    product: Product
    quantity: int

    @property
    def cents(self) -> int:
        """The line's price, in euro cents."""
        return self.product.cents * self.quantity


@dataclass(frozen=True)
class Order:
    """What was bought at one time."""

    number: str
    placed: date
    status: str
    lines: tuple[Line, ...]


def total(lines: Iterable[Line]) -> int:
    """The price of all lines together, in euro cents."""
    return sum(line.cents for line in lines)


def by_slug(*products: Product) -> Mapping[str, Product]:
    """The products by the name that their addresses use, in the order given."""
    return {product.slug: product for product in products}


PRODUCTS = by_slug(
    Product(
        slug="aepfel-und-birnen",
        name="Äpfel & Birnen",
        summary="Linen tea towel",
        description=(
            "Nine pieces of fruit, screen-printed by hand in Leipzig on half-linen that was woven "
            "a few villages further on. It dries the glasses of a whole dinner, and then it looks "
            "good on its hook."
        ),
        category=Category.KITCHEN,
        cents=1850,
        image="img/Äpfel & Birnen.svg",
        tone="sky",
        details=("50 by 70 cm", "55 % linen, 45 % cotton", "Washes at 60 °C"),
        reviews=(
            Review(
                "Jonas W.",
                5,
                date(2025, 4, 22),
                "Nearly too good to use",
                "Bought one for the wall and one for the dishes. The one for the dishes has been "
                "washed twenty times, and I still cannot tell them apart.",
            ),
            Review(
                "Amélie R.",
                5,
                date(2025, 3, 9),
                "Dries glasses without a trace",
                "No lint, no streaks, and it is dry again by the time the kettle boils.",
            ),
            Review(
                "Tomasz K.",
                4,
                date(2025, 1, 30),
                "Shrinks a little",
                "Two centimetres after the first wash, as the label says. The colours stayed.",
            ),
        ),
    ),
    Product(
        slug="kettle",
        name="Hearth kettle",
        summary="Enamelled steel, 1.8 litres",
        description=(
            "A kettle for people who like to hear that the water is ready. Two coats of enamel on "
            "heavy steel, a beech handle that stays cool, and a spout that pours where you aim."
        ),
        category=Category.KITCHEN,
        cents=6400,
        image="img/kettle.svg",
        tone="marigold",
        details=("1.8 litres", "Gas, electric and induction", "Guaranteed for ten years"),
        reviews=(
            Review(
                "Ingrid S.",
                5,
                date(2025, 5, 2),
                "It sings in tune",
                "An honest A flat. My daughter plays along on the recorder every morning.",
            ),
            Review(
                "Noor A.",
                4,
                date(2025, 2, 17),
                "Heavy, in a good way",
                "It stands like a rock on the induction plate. Full, it wants two hands.",
            ),
        ),
    ),
    Product(
        slug="watering-can",
        name="Dew watering can",
        summary="Galvanised steel, 5 litres",
        description=(
            "The long neck reaches the back of the bed, and the brass rose makes rain so fine "
            "that seedlings stay where you put them. Balanced to be carried full, one in each hand."
        ),
        category=Category.GARDEN,
        cents=4200,
        image="img/watering-can.svg",
        tone="blush",
        details=("5 litres", "Brass rose, comes off for cleaning", "Can stay outside in frost"),
        reviews=(
            Review(
                "Piet v. D.",
                5,
                date(2025, 5, 11),
                "A soft rain indeed",
                "My old can dug holes. With this one even the lettuce stays upright.",
            ),
            Review(
                "Hana M.",
                5,
                date(2025, 4, 3),
                "Both hands full, and happy",
                "I came back for a second one after a week.",
            ),
        ),
    ),
    Product(
        slug="plum-preserve",
        name="Late plum preserve",
        summary="Small-batch, 240 g",
        description=(
            "Damsons picked after the first cold night, cooked with a third of their weight in "
            "sugar and nothing else. For bread, for cheese, or for a spoon when nobody looks."
        ),
        category=Category.TABLE,
        cents=950,
        image="img/plum-preserve.svg",
        tone="lilac",
        details=("240 g", "72 % fruit", "Keeps for two years, in theory"),
        reviews=(
            Review(
                "Oskar L.",
                5,
                date(2025, 2, 2),
                "Two years? Two days.",
                "Order three jars. One is for the way from the door to the kitchen.",
            ),
            Review(
                "Yara B.",
                4,
                date(2024, 12, 19),
                "Tart, as it should be",
                "Splendid with an old mountain cheese. Too tart for the children: all mine.",
            ),
        ),
    ),
    Product(
        slug="radish-seeds",
        name="First radish seeds",
        summary="Organic, 400 seeds",
        description=(
            "Four weeks from packet to plate, on a bed or in a box on the sill. Crisp, a little "
            "hot, and the best first crop for gardeners of any age."
        ),
        category=Category.GARDEN,
        cents=395,
        image="img/radish-seeds.svg",
        tone="mint",
        details=("400 seeds, for three metres", "Sow from March to September", "Open-pollinated"),
        reviews=(
            Review(
                "Class 2b",
                5,
                date(2025, 5, 20),
                "We grew them ourselves",
                "All came up but four. Ben ate one that was not washed, and he is fine.",
            ),
        ),
    ),
    Product(
        slug="meadow-mug",
        name="Meadow mug",
        summary="Hand-painted stoneware",
        description=(
            "Four flowers from the meadow behind the workshop, painted freehand, so that no two "
            "mugs are alike. Holds a proper coffee, and the handle holds a proper hand."
        ),
        category=Category.TABLE,
        cents=2200,
        image="img/meadow-mug.svg",
        tone="tangerine",
        details=("320 ml", "Dishwasher and microwave", "Thrown and painted in Bürgel"),
        reviews=(
            Review(
                "Elif T.",
                5,
                date(2025, 3, 28),
                "The good mug",
                "There is now a queue for it. I hide it behind the oats.",
            ),
            Review(
                "Marcus H.",
                3,
                date(2025, 1, 12),
                "Lovely, but thick-walled",
                "Coffee stays hot for long, and the mug is heavier than it looks.",
            ),
        ),
    ),
    Product(
        slug="beeswax-candles",
        name="Beeswax candles",
        summary="A pair, dipped by hand",
        description=(
            "Thirty dips each, in wax from a beekeeper who knows where his bees have been. They "
            "burn for nine hours, do not drip in still air, and smell of late summer."
        ),
        category=Category.TABLE,
        cents=1600,
        image="img/beeswax-candles.svg",
        tone="pine",
        details=("Two candles, 24 cm", "Pure beeswax, cotton wick", "Nine hours each"),
        reviews=(
            Review(
                "Sofia N.",
                5,
                date(2024, 12, 27),
                "The whole room smelled of honey",
                "We lit them on Christmas Eve, and they lasted until New Year.",
            ),
        ),
    ),
    Product(
        slug="thyme-pot",
        name="Windowsill thyme",
        summary="Living herb in a clay pot",
        description=(
            "A strong young lemon thyme, already in the pot where it will spend its life. Give it "
            "sun, forget the water now and then, and cut it often."
        ),
        category=Category.GARDEN,
        cents=2800,
        image="img/thyme-pot.svg",
        tone="butter",
        details=("Pot 14 cm across", "Unglazed clay, with saucer", "Sent from April to October"),
        reviews=(
            Review(
                "Catarina F.",
                5,
                date(2025, 6, 1),
                "Arrived with bees interested",
                "Opened the parcel on the balcony, and had a visitor within the minute.",
            ),
            Review(
                "Lukas P.",
                4,
                date(2025, 5, 6),
                "Survived me",
                "I went away for three weeks. It did not mind.",
            ),
        ),
    ),
)

FEATURED = PRODUCTS["aepfel-und-birnen"]

ORDERS = (
    Order(
        "PS-2071",
        date(2025, 6, 3),
        "On its way",
        (Line(PRODUCTS["watering-can"], 1), Line(PRODUCTS["radish-seeds"], 3)),
    ),
    Order(
        "PS-1846",
        date(2025, 3, 14),
        "Delivered",
        (Line(PRODUCTS["aepfel-und-birnen"], 2), Line(PRODUCTS["plum-preserve"], 1)),
    ),
    Order("PS-1533", date(2024, 12, 8), "Delivered", (Line(PRODUCTS["beeswax-candles"], 2),)),
)
