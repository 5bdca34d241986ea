"""Why a layer has another key, or is built though its key is known: answered from facts, never from guesses."""
