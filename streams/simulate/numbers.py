"""Telephone numbers that belong to a region by their prefix and to nobody by their digits.

North America: the exchange 555 with 01XX, which is kept for fiction. Elsewhere a mobile prefix,
zeros, then digits.
"""

from __future__ import annotations

import numpy as np

_AREA_CODES = {
    "US-AZ": "480 520 602 623 928",
    "US-CA": "209 213 279 310 323 341 408 415 424 442 510 530 559 562 619 626 628 650 657 661 669 707 714"
    " 747 760 805 818 820 831 840 858 909 916 925 949 951",
    "US-CO": "303 719 720 970",
    "US-DC": "202",
    "US-FL": "239 305 321 352 386 407 448 561 656 689 727 754 772 786 813 850 863 904 941 954",
    "US-GA": "229 404 470 478 678 706 762 770 912 943",
    "US-IL": "217 309 312 331 618 630 708 773 779 815 847 872",
    "US-MA": "339 351 413 508 617 774 781 857 978",
    "US-MI": "231 248 269 313 517 586 616 734 810 906 947 989",
    "US-NC": "252 336 704 743 828 910 919 980 984",
    "US-NJ": "201 551 609 640 732 848 856 862 908 973",
    "US-NY": "212 315 332 347 516 518 585 607 631 646 680 716 718 838 845 914 917 929 934",
    "US-OH": "216 220 234 330 380 419 440 513 567 614 740 937",
    "US-PA": "215 223 267 272 412 484 570 582 610 717 724 814 878",
    "US-TX": "210 214 254 281 325 346 361 409 430 432 469 512 682 713 726 737 806 817 830 832 903 915 936"
    " 940 945 956 972 979",
    "US-WA": "206 253 360 425 509",
    "CA-AB": "368 403 587 780 825",
    "CA-BC": "236 250 257 604 672 778",
    "CA-ON": "226 249 289 343 365 416 437 519 548 613 647 683 705 742 753 807 905",
    "CA-QC": "263 354 367 418 438 450 468 514 579 581 819 873",
}

_MOBILE = {
    "AU": ("614000", 5),
    "BR": ("55119900", 5),
    "DE": ("4915110", 6),
    "ES": ("346000", 5),
    "FI": ("3584000", 5),
    "FR": ("336000", 5),
    "GB": ("4474000", 5),
    "ID": ("6281100", 5),
    "IN": ("9190000", 5),
    "IT": ("393200", 5),
    "MX": ("5255100", 5),
    "NG": ("23480300", 5),
    "NL": ("316100", 5),
    "PH": ("6391700", 5),
    "PL": ("485000", 5),
    "SE": ("467000", 5),
    "ZA": ("276000", 5),
}
"""Country -> prefix with its country code and zeros, and how many free digits follow."""


def _north_american(region: str) -> list[int]:
    """Every number of a state, or of all states of a country, first `01` then area code."""
    codes = " ".join(v for k, v in _AREA_CODES.items() if k == region or k[:2] == region).split()
    return [int(f"1{code}55501{last:02d}") for last in range(100) for code in codes]


def regions() -> tuple[str, ...]:
    """Every region that numbers can be made for, sorted."""
    return tuple(sorted({*_AREA_CODES, *(r[:2] for r in _AREA_CODES), *_MOBILE}))


def numbers_of(region: str) -> np.ndarray:
    """All numbers of `region` (int64 E.164 digits). KeyError for a region that is not in `regions`."""
    if nanp := _north_american(region):
        return np.array(nanp, dtype=np.int64)
    prefix, digits = _MOBILE[region]
    first = int(prefix) * 10**digits
    return np.arange(first, first + 10**digits, dtype=np.int64)


def country_of(region: str) -> str:
    """The country that the number's prefix tells: `US` for `US-CA`."""
    return region.split("-", 1)[0]
