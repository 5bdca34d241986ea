"""Why a layer has another key, or is built although its key is known: answered from facts, never from guesses."""
