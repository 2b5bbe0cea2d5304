"""The networks, their data, losses, training, evaluation and export. torch lives only here."""
