"""Free riders: the model without the work.

Lin, Du, Liu 2019, "Free-riders in Federated Learning: Attacks and Defenses", https://arxiv.org/abs/1911.12560; Fraboni, Vidal,
Lorenzi 2021, "Free-rider Attacks on Model Aggregation in Federated Learning", https://arxiv.org/abs/2006.11901 (disguised by noise).
"""

from dataclasses import dataclass

from coterie.adversaries.conduct import Conduct, Occasion, conduct
from coterie.attacks.jobs import free_ride
from coterie.core.bounds import NonNegative
from coterie.core.jobs import Job
from coterie.learning.jobs import Trained


@conduct("free_rider")
@dataclass(frozen=True)
class FreeRider(Conduct):
    """Does not train, and sends the model back as it came.

    noise: how long the Gaussian noise on it is, in terms of the model's change since the rider's last round (1: as long); so it looks as if
    it had trained. Until there was such a change there is no noise.
    """

    noise: NonNegative = 0.0

    def trains(self, job: Job[Trained], occasion: Occasion) -> Job[Trained]:
        """A job that trains nothing and takes as long."""
        model, client = job.inputs[:2]
        assert model is not None
        return free_ride(model, client, occasion.before() if self.noise else None, self.noise, job)
