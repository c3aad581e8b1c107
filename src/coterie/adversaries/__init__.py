"""Attackers in a federation: who of the participants is one, and what they send and do in place of what they should.

Participants run the same flows as everybody. An `Adversary` stands between those that are corrupted and the world: it sees the jobs
they ask for and the messages they send, and puts others in their place. So whatever the protocol does, attackers do it too, but for
what they lie about. Outsiders stand on links.
"""
