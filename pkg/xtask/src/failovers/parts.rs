//! The parts of a downtime, and whose each is.

/// Who could make a downtime shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    LifeKeeper,
    Kit,
    Dovecot,
    Client,
    Nobody,
}

impl Owner {
    pub(super) const ALL: [Self; 5] =
        [Self::LifeKeeper, Self::Kit, Self::Dovecot, Self::Client, Self::Nobody];

    /// Returns what people read.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::LifeKeeper => "LifeKeeper",
            Self::Kit => "dovecot-ark",
            Self::Dovecot => "Dovecot and systemd",
            Self::Client => "client",
            Self::Nobody => "not assigned",
        }
    }
}

/// A part of a downtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Check,
    Heartbeats,
    Engine,
    Children,
    QuickCheck,
    Recover,
    Restore,
    Remove,
    Greeting,
    SecondOpinion,
    Commands,
    Script,
    Stop,
    Leftovers,
    Start,
    FirstGreeting,
    Login,
    NotAssigned,
}

impl Part {
    pub(super) const ALL: [Self; 18] = [
        Self::Check,
        Self::Heartbeats,
        Self::Engine,
        Self::Children,
        Self::QuickCheck,
        Self::Recover,
        Self::Restore,
        Self::Remove,
        Self::Greeting,
        Self::SecondOpinion,
        Self::Commands,
        Self::Script,
        Self::Stop,
        Self::Leftovers,
        Self::Start,
        Self::FirstGreeting,
        Self::Login,
        Self::NotAssigned,
    ];

    /// Returns whose time it is.
    pub(super) const fn owner(self) -> Owner {
        match self {
            Self::Check | Self::Heartbeats | Self::Engine | Self::Children => Owner::LifeKeeper,
            Self::QuickCheck | Self::Recover | Self::Restore | Self::Remove => Owner::Kit,
            Self::Greeting
            | Self::SecondOpinion
            | Self::Commands
            | Self::Script
            | Self::Stop
            | Self::Leftovers
            | Self::Start
            | Self::FirstGreeting => Owner::Dovecot,
            Self::Login => Owner::Client,
            Self::NotAssigned => Owner::Nobody,
        }
    }

    /// Returns what people read.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Check => "until the next quickCheck",
            Self::Heartbeats => "heartbeats, until the peer is declared dead",
            Self::Engine => "between the actions",
            Self::Children => "IP address and file system",
            Self::QuickCheck => "quickCheck",
            Self::Recover => "recover",
            Self::Restore => "restore",
            Self::Remove => "remove",
            Self::Greeting => "time-out of a greeting that does not come",
            Self::SecondOpinion => "asking the master whether it is full",
            Self::Commands => "status and configuration commands",
            Self::Script => "service command, before systemd is asked",
            Self::Stop => "stop, from there on",
            Self::Leftovers => "until its processes are gone",
            Self::Start => "start, from there on",
            Self::FirstGreeting => "from its end to the first greeting",
            Self::Login => "until its next session has logged in",
            Self::NotAssigned => "not assigned",
        }
    }
}
