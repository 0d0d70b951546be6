"""Recformer: items are sentences of keys and values, and a language model reads a history of them.

Li et al., "Text Is All You Need: Learning Language Representations for Sequential Recommendation", KDD 2023.
"""
