"""UniM2Rec (Sun et al., "Universal Multi-modal Multi-domain Pre-trained Recommendation", arXiv 2311.01831).

Only the abstract could be had: items by text and image, preferences from all domains, strong where content is missing
or noisy. How that is done here is our reconstruction, leaning on UniSRec (KDD 2022) and MISSRec (MM 2023).
"""
