"""The engine: cells, their addresses, the store that keeps them and the executors that compute them."""
