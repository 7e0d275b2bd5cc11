"""The BlazingText image: word vectors and text classification, trained by fastText (its fork floret) on this machine.

This file is imported by the server: it must stay light. Contract: the algorithm's pages of the SageMaker developer
guide (blazingtext, blazingtext_hyperparameters, blazingtext-tuning).
"""

# What the image's log says of itself: name → regular expression.
METRICS: dict[str, str] = {
    "train:mean_rho": r"#mean_rho: (\S+?)\]?$",
    "train:accuracy": r"#train_accuracy: (\S+)",
    "validation:accuracy": r"#validation_accuracy: (\S+)",
}
NEEDS: tuple[str, ...] = ("floret",)
