"""Which settings concern a trial, a study or the machine."""

CHANGEABLE = (
    "study.num_trials",
    "study.budget.",
    "study.stall_minutes",
    "scaling.",
    "tracker.",
    "output_dir",
)


# Which tracker keeps a study, and how it is reached.
OF_THE_TRACKER = ("tracker.", "tracker=")


# Where a study's images are now: they are known again by their pixels.
MOVABLE = ("data.root=", "data.cache_dir=", "data.download=")


# Settings of the study as a whole: they change nothing about a trial.
NOT_A_TRIALS = (
    *CHANGEABLE,
    "scaling=",
    "tracker=",
    "study.id",
    "study.seed",
    "study.max_failures",
    "study.points",
    "study.warm_start",
    "study.allow_repeats",
    "study.storage",
    "sampler",
    "trial_scheduler",
)
