//! Histories: what is done in what order, all of it drawn from a seed. A step brings its own randomness,
//! and is about whatever is there when its turn comes. So any of them can be left out, and the others
//! still mean something.

use std::fmt;

use fastrand::Rng;

/// One thing that somebody does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it is.
    pub action: Action,
    /// Where the rest of it is drawn from: who, which seats, how much.
    pub seed: u64,
}

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// A user holds seats.
    Hold,
    /// A user sends a hold again, or another one under the same token.
    HoldAgain,
    /// A user pays at the provider, by themselves: early, late, twice, or wrong.
    Pay,
    /// A user asks for a payment to be made.
    Checkout,
    /// A user pays, or is declined, on the provider's page.
    Payer,
    /// A user confirms, with their payment, with another's, or with none that there is.
    Confirm,
    /// A user cancels.
    Cancel,
    /// Somebody looks at seats or reservations.
    Look,
    /// The house prices a show anew.
    Price,
    /// The house keeps seats, or lets them go.
    Block,
    /// The house cancels a show.
    CancelShow,
    /// Somebody lets a ticket in.
    Scan,
    /// The house audits a show.
    Audit,
    /// Another system reads what happened.
    Events,
    /// Time passes.
    Wait,
    /// TTL comes by.
    Sweep,
    /// A function hears what a stream tells.
    Read,
    /// A function gets messages of a queue.
    Deliver,
    /// The provider tells what happened.
    Tell,
    /// Somebody else pretends to be the provider.
    Forge,
    /// Somebody changes something at the provider, or it misbehaves.
    Provider,
    /// The schedule runs.
    Reconcile,
    /// A site forgets what it remembered.
    Cool,
}

/// How often what is done, out of their sum. A show is cancelled at most a few times, so not here.
const SHARES: [(Action, u32); 22] = [
    (Action::Hold, 15),
    (Action::HoldAgain, 4),
    (Action::Pay, 7),
    (Action::Checkout, 4),
    (Action::Payer, 4),
    (Action::Confirm, 10),
    (Action::Cancel, 8),
    (Action::Look, 5),
    (Action::Price, 1),
    (Action::Block, 1),
    (Action::Scan, 1),
    (Action::Audit, 1),
    (Action::Events, 1),
    (Action::Wait, 14),
    (Action::Sweep, 2),
    (Action::Read, 12),
    (Action::Deliver, 9),
    (Action::Tell, 9),
    (Action::Forge, 1),
    (Action::Provider, 4),
    (Action::Reconcile, 1),
    (Action::Cool, 1),
];

/// How much more or less often something is done in one history than in others. What never happens
/// in one makes room for what else can: bookings without one confirmation, streams that nobody reads.
const TILTS: [u32; 7] = [0, 1, 2, 2, 2, 2, 4];

/// What a history of this seed does.
#[must_use]
pub fn history(seed: u64, operations: usize) -> Vec<Step> {
    let mut rng = Rng::with_seed(seed);
    let shares = SHARES.map(|(action, share)| {
        let tilt = match action {
            // Without these nothing happens at all.
            Action::Hold | Action::Wait => 2,
            _may_be_missing => TILTS[rng.usize(..TILTS.len())],
        };
        (action, share * tilt)
    });
    let mut steps: Vec<Step> = (0..operations)
        .map(|_| Step { action: drawn(&shares, &mut rng), seed: rng.u64(..) })
        .collect();
    // In every third history one show is cancelled, in its second half; now and then all of them.
    let cancelled = match rng.u8(..60) {
        0 => 3,
        1..=20 => 1,
        _none => 0,
    };
    for _ in 0..cancelled {
        if let Some(step) = steps.len().checked_sub(1).map(|last| rng.usize(last / 2..=last)) {
            steps[step].action = Action::CancelShow;
        }
    }
    steps
}

fn drawn(shares: &[(Action, u32)], rng: &mut Rng) -> Action {
    let sum: u32 = shares.iter().map(|(_, share)| share).sum();
    let mut left = rng.u32(..sum);
    for (action, share) in shares {
        match left.checked_sub(*share) {
            None => return *action,
            Some(rest) => left = rest,
        }
    }
    Action::Hold
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hold => "hold",
            Self::HoldAgain => "hold again",
            Self::Pay => "pay",
            Self::Checkout => "checkout",
            Self::Payer => "payer",
            Self::Confirm => "confirm",
            Self::Cancel => "cancel",
            Self::Look => "look",
            Self::Price => "price",
            Self::Block => "block",
            Self::CancelShow => "cancel show",
            Self::Scan => "scan",
            Self::Audit => "audit",
            Self::Events => "events",
            Self::Wait => "wait",
            Self::Sweep => "sweep",
            Self::Read => "read",
            Self::Deliver => "deliver",
            Self::Tell => "tell",
            Self::Forge => "forge",
            Self::Provider => "provider",
            Self::Reconcile => "reconcile",
            Self::Cool => "cool",
        })
    }
}
