"""The online room: answers recommendation requests from a model bundle. It never imports torch, training or export."""
