"""Reading what is written on pictures: RapidOCR in a process of its own, and which of the lines a
recorder burned in. Knows neither Milvus nor the ledger."""
