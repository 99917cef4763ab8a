"""Creators: who qualifies, how much a few of them hold, what a threshold changes, and who rises.

eligible       who qualifies under a dated rule, and what is kept of reach and sales
supply         how many creators stand at or above each threshold
concentration  how much a few creators hold: Gini, Herfindahl, Theil, top shares
tail           how fast the largest thin out, against a log-normal
bands          the distribution of fans from counts by band
leave          what is lost when a head creator goes
jump           what changes at a threshold
bunching       whether more stand just above a threshold than below
moves          how creators move between bands, and how long the way up takes
shrink         anchors' rates drawn towards their mean as far as chance explains them
persistence    whether those who did well do well again
fit            whether goods belong to a creator's label
fit_and_conversion  how conversion goes with fit
"""

from toolkit.scenarios.creators.bunchings import Bunching, bunching
from toolkit.scenarios.creators.concentrations import Concentration, concentration
from toolkit.scenarios.creators.eligibility import Eligible, Supply, eligible, supply
from toolkit.scenarios.creators.exits import Exit, leave
from toolkit.scenarios.creators.fan_bands import Bands, bands
from toolkit.scenarios.creators.jumps import Jump, jump
from toolkit.scenarios.creators.labels import Fit, FitEffect, fit, fit_and_conversion
from toolkit.scenarios.creators.ladders import Moves, moves
from toolkit.scenarios.creators.persistences import Persistence, persistence
from toolkit.scenarios.creators.skills import Shrunk, shrink
from toolkit.scenarios.creators.tails import Tail, tail

__all__ = [
    "Bands",
    "Bunching",
    "Concentration",
    "Eligible",
    "Exit",
    "Fit",
    "FitEffect",
    "Jump",
    "Moves",
    "Persistence",
    "Shrunk",
    "Supply",
    "Tail",
    "bands",
    "bunching",
    "concentration",
    "eligible",
    "fit",
    "fit_and_conversion",
    "jump",
    "leave",
    "moves",
    "persistence",
    "shrink",
    "supply",
    "tail",
]
