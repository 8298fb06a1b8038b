//! The numbers of all warnings and errors: of the log, and of install, doctor and status.
//!
//! A number stays with its meaning whatever becomes of the words, so that a monitoring system, a
//! ticket and the page dovecot-ark-messages(7) go on agreeing. It has four digits: the six-digit ones
//! are LifeKeeper's own. A number that is out of use is never given to another message.
//!
//! What may be logged as a warning or an error takes a [`Message`]: the macros `warning` and `error`,
//! `Error::message`, and the findings of doctor. Lines that only inform have none.

use std::fmt;

use serde::{Serialize, Serializer};

/// Declares the messages with their numbers.
macro_rules! table {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// A warning or an error that has a number.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Message {
            $($(#[$doc])* $name = $number,)*
        }

        impl Message {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The number as it is printed, such as `ARK1101`.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => concat!("ARK", $number),)*
                }
            }
        }
    };
}

table! {
    // The program itself.
    /// Somebody other than root asked for it.
    NotRoot = 1001,
    /// The process table does not show this program.
    ProcessTable = 1002,
    /// Standard output could not be written.
    Output = 1003,
    /// A file or directory could not be dealt with.
    File = 1004,
    /// A command failed.
    Command = 1005,
    /// The answer of a command is not understood.
    Answer = 1006,
    /// The kit has a defect.
    Internal = 1007,
    /// The log file cannot be opened.
    NoLogFile = 1008,

    // The checks.
    /// A fault: Dovecot is not in operation.
    Fault = 1101,
    /// A fault: the processes cannot be seen.
    Blind = 1102,
    /// In operation, and something needs attention.
    Degraded = 1103,
    /// Not in operation, and excused.
    Excused = 1104,
    /// The action gave up at its limit.
    GaveUp = 1105,
    /// Nothing watches over quickCheck's end.
    Unwatched = 1106,
    /// Others than root may write the master's program.
    WritableProgram = 1107,
    /// The check was made although an action holds the lock.
    CheckedBesides = 1108,
    /// The status command did not answer.
    NoStatus = 1109,
    /// More than one master runs.
    SeveralMasters = 1110,
    /// A debugger holds the master.
    Traced = 1111,
    /// All processes of a service are in use.
    Saturated = 1112,
    /// A certificate has ended or soon will.
    Certificate = 1113,
    /// The check of a port could not be made.
    NotChecked = 1114,
    /// The look at a mailbox failed and is no fault.
    Login = 1115,
    /// Dovecot serves, and could not start again.
    NoNextStart = 1116,

    // restore.
    /// Dovecot did not come into operation.
    NotStarted = 1201,
    /// A file system is full.
    Full = 1202,
    /// Dovecot's configuration is broken.
    Configuration = 1203,
    /// Dovecot is not installed.
    NotInstalled = 1204,
    /// This node lacks an address on which Dovecot is to listen.
    NoAddress = 1205,
    /// Another program has a port of Dovecot's.
    PortTaken = 1206,
    /// A round did not bring Dovecot into operation.
    Round = 1207,
    /// An earlier Dovecot left processes behind.
    LeftBehind = 1208,
    /// The unit is active without a process.
    EmptyUnit = 1209,
    /// Whether the configuration is readable is not known.
    ConfigurationUnknown = 1210,
    /// A wrong pid file could not be removed.
    PidFile = 1211,
    /// A service command failed.
    ServiceCommand = 1212,
    /// There is no service command.
    NoServiceCommand = 1213,
    /// A command of a killed action still ran.
    LeftCommand = 1214,

    // remove.
    /// Something outlived SIGKILL.
    StillRunning = 1301,
    /// Another program keeps starting Dovecot.
    StartedAgain = 1302,
    /// systemd is going to start Dovecot again.
    StillStarting = 1303,
    /// A master belongs to another unit.
    OtherUnit = 1304,
    /// The master outlived a stop command.
    OutlivedStop = 1305,
    /// The state of the service is not known.
    ServiceUnknown = 1306,
    /// The stop command left processes, which get signals.
    Signals = 1307,
    /// No process is left, and the unit is not inactive.
    UnitAtWork = 1308,
    /// A stopped process is resumed.
    Resumed = 1309,
    /// Something still runs that may not be Dovecot's.
    NotProven = 1310,
    /// A frozen control group was thawed.
    Thawed = 1311,
    /// A frozen control group could not be thawed.
    NotThawed = 1312,

    // recover.
    /// Nothing is changed while the node shuts down.
    ShuttingDown = 1401,
    /// Dovecot was left running because it could not start again.
    LeftRunning = 1402,

    // Locks and notes.
    /// The directory above is locked instead.
    LockAbove = 1501,
    /// The action goes on without a lock.
    NoLock = 1502,
    /// An unknown process holds the lock.
    UnknownHolder = 1503,
    /// The action that held the lock was terminated.
    HolderTerminated = 1504,
    /// A note could not be read or written.
    Note = 1505,

    // The settings.
    /// The file of the settings cannot be read.
    NoSettings = 2001,
    /// No parameter has this name.
    UnknownKey = 2002,
    /// A line of the file is not understood.
    Line = 2003,
    /// The file of the settings is too large.
    LargeFile = 2004,
    /// More warnings of this kind are not told.
    MoreWarnings = 2005,
    /// A value is not understood.
    Value = 2006,
    /// An entry of the list is not understood.
    Entry = 2007,
    /// More entries are left out.
    MoreEntries = 2008,
    /// No entry of the list is left.
    NoEntry = 2009,
    /// A parameter of the resource agent is not understood.
    Parameter = 2010,

    // install and uninstall.
    /// LifeKeeper is not there.
    NoLifeKeeper = 3001,
    /// LifeKeeper does not run.
    LifeKeeperDown = 3002,
    /// Another install or uninstall runs.
    OtherRun = 3003,
    /// An earlier install or uninstall was killed.
    KilledRun = 3004,
    /// Undoing a step failed.
    NotUndone = 3005,
    /// Another resource protects this Dovecot.
    Protected = 3006,
    /// There is no program dovecot.
    NoDovecot = 3007,
    /// Dovecot would not start.
    WouldNotStart = 3008,
    /// Dovecot runs on a node that is to stand by.
    StandbyRuns = 3009,
    /// The resource is not in service.
    NotInService = 3010,
    /// It cannot depend on that.
    Dependency = 3011,
    /// The key for the time of quickCheck is not known.
    QuickCheckKey = 3012,
    /// The key for the time of quickCheck is set already.
    QuickCheckSet = 3013,
    /// No command can create the resource.
    NoCreation = 3014,
    /// LifeKeeper has another resource of that tag.
    ForeignResource = 3015,
    /// Somebody else created the resource meanwhile.
    CreatedMeanwhile = 3016,
    /// The resource is not as it should be after its creation.
    NotCreated = 3017,
    /// The resource cannot be taken out of service.
    NotOutOfService = 3018,
    /// LifeKeeper does not show the dependency.
    DependencyNotShown = 3019,
    /// The resource is still there.
    NotDeleted = 3020,
    /// The resource cannot be taken out of LifeKeeper.
    NotTakenOut = 3021,
    /// The start at boot could not be disabled.
    BootNotDisabled = 3022,
    /// What there is to do has changed since the question.
    ChangedMeanwhile = 3023,
    /// Nobody can be asked.
    NobodyToAsk = 3024,
    /// It was not confirmed.
    NotConfirmed = 3025,
    /// The resource is still there on another node.
    LeftElsewhere = 3026,
    /// Somebody has set the start at boot since.
    BootSetSince = 3027,
    /// The resource cannot be taken over.
    NotTakenOver = 3028,
    /// This kit would call the Dovecot that is to be taken over a fault.
    TakenForFault = 3029,
    /// Another node could not do its part.
    OtherNode = 3030,
    /// An action of the resource does not end.
    StillActing = 3031,
    /// The new quickCheck fails.
    NewCheckFails = 3032,
    /// The state of the resource could not be set.
    NotMarked = 3033,
    /// A run that was killed left the resource marked OSU.
    LeftMarked = 3034,
    /// The resource cannot be given back.
    NotGivenBack = 3035,
    /// The resource is not given back on another node.
    LeftTaken = 3036,
    /// The login check has an account already.
    AccountExists = 3037,
    /// The login check's account cannot be kept.
    AccountNotKept = 3038,
    /// systemd cannot be let restart Dovecot.
    NoRestart = 3039,

    // doctor: what is installed, and the checks.
    /// LifeKeeper's version is not known.
    DoctorLifeKeeperVersion = 4001,
    /// LifeKeeper has no licence file.
    DoctorLicence = 4002,
    /// Dovecot's version cannot be had.
    DoctorNoDovecot = 4003,
    /// Dovecot's version was never tried.
    DoctorUntried = 4004,
    /// The checks say degraded.
    DoctorDegraded = 4005,
    /// An action is running.
    DoctorActing = 4006,
    /// The checks say stopped.
    DoctorStopped = 4007,
    /// The checks say failed.
    DoctorFailed = 4008,
    /// The checks say unknown.
    DoctorUnknown = 4009,
    /// The last action failed.
    DoctorActionFailed = 4010,
    /// The last action was killed.
    DoctorActionKilled = 4011,
    /// The kit cannot use a file or directory of its own.
    DoctorOwnFiles = 4012,

    // doctor: Dovecot's configuration and certificates.
    /// The configuration is broken.
    DoctorBroken = 4101,
    /// Whether the configuration is readable is not known.
    DoctorBrokenUnknown = 4102,
    /// Where Dovecot is to listen is not known.
    DoctorListenerUnknown = 4103,
    /// Dovecot has no listener on a port.
    DoctorNoListener = 4104,
    /// Dovecot listens at other addresses.
    DoctorListensElsewhere = 4105,
    /// A certificate cannot be read.
    DoctorCertificateUnread = 4106,
    /// A file is no certificate.
    DoctorNoCertificate = 4107,
    /// A certificate has ended or soon will.
    DoctorCertificateEnds = 4108,
    /// A key does not belong to its certificate.
    DoctorOtherKey = 4109,
    /// A file is no key.
    DoctorNoKey = 4110,
    /// A key cannot be read.
    DoctorKeyUnread = 4111,
    /// Dovecot cannot write its files.
    DoctorUnwritable = 4112,
    /// An entry asks a port for what Dovecot does not do there.
    DoctorMisunderstood = 4113,
    /// Dovecot is configured to listen at an address that the node lacks.
    DoctorListenAddress = 4114,
    /// The login check has no account.
    DoctorNoAccount = 4115,
    /// Dovecot refuses the login check's account.
    DoctorAccountRefused = 4116,
    /// Whether Dovecot accepts the account is not known.
    DoctorAccountUnknown = 4117,
    /// fail2ban counts the login check's address.
    DoctorAccountBanned = 4118,
    /// Dovecot delays the login check with others.
    DoctorAccountDelayed = 4119,

    // doctor: who starts Dovecot.
    /// systemd does not report the service.
    DoctorUnitUnknown = 4201,
    /// systemd stops Dovecot before LifeKeeper.
    DoctorOrder = 4202,
    /// There is no service command.
    DoctorNoCommand = 4203,
    /// The unit is masked.
    DoctorMasked = 4204,
    /// systemd has no usable unit.
    DoctorNoUnit = 4205,
    /// There is no init script.
    DoctorNoScript = 4206,
    /// The unit starts at boot.
    DoctorEnabled = 4207,
    /// The init script runs at boot.
    DoctorBootLinks = 4208,
    /// systemd does not report the state of the unit.
    DoctorStateUnknown = 4209,
    /// An active unit starts Dovecot.
    DoctorTriggered = 4210,
    /// A unit upholds Dovecot's.
    DoctorUpheld = 4211,
    /// systemd restarts Dovecot.
    DoctorRestart = 4212,
    /// The unit has `KillMode=none`.
    DoctorKillMode = 4213,
    /// Another supervisor knows of Dovecot.
    DoctorSupervisor = 4214,
    /// A file starts or restarts Dovecot.
    DoctorStarter = 4215,
    /// The start of other units starts Dovecot.
    DoctorPulledIn = 4216,
    /// systemd does not restart Dovecot as install has set it.
    DoctorOwnRestart = 4217,

    // doctor: settings and times.
    /// A setting is not understood.
    DoctorSetting = 4301,
    /// A time is no number of seconds.
    DoctorNoSeconds = 4302,
    /// LifeKeeper does not read a key that is set.
    DoctorUnreadKey = 4303,
    /// LifeKeeper ends the checks too early.
    DoctorShortChecks = 4304,
    /// LifeKeeper ends quickCheck before its own end.
    DoctorShortQuickCheck = 4305,
    /// LifeKeeper gives up a switchover too early.
    DoctorShortSwitchover = 4306,

    // doctor: addresses, ports, masters, tags.
    /// The addresses cannot be listed.
    DoctorAddressesUnknown = 4401,
    /// An address is not on this node.
    DoctorNoAddress = 4402,
    /// Who listens is not known.
    DoctorPortsUnknown = 4403,
    /// An earlier Dovecot's process has a port.
    DoctorPortLeft = 4404,
    /// Another program has a port, and Dovecot does not run.
    DoctorPortTaken = 4405,
    /// Nobody listens at an entry.
    DoctorNobodyListens = 4406,
    /// Another program has a port beside Dovecot.
    DoctorForeignPort = 4407,
    /// More than one master runs.
    DoctorSeveralMasters = 4408,
    /// The only master belongs to another unit.
    DoctorOnlyStranger = 4409,
    /// A master belongs to another unit.
    DoctorStranger = 4410,
    /// What install changed is not known.
    DoctorRecord = 4411,
    /// The node is prepared for several tags.
    DoctorSeveralTags = 4412,
    /// Others than root can write a master's program.
    DoctorWritableProgram = 4413,

    // doctor: the resource.
    /// LifeKeeper does not list its resources.
    DoctorResourceUnknown = 4501,
    /// The resource is another kit's.
    DoctorOtherKind = 4502,
    /// LifeKeeper has no such resource.
    DoctorNoResource = 4503,
    /// Dovecot runs where it is out of service.
    DoctorRunsOutOfService = 4504,
    /// Dovecot does not run where it is in service.
    DoctorNotRunning = 4505,
    /// LifeKeeper calls the resource failed.
    DoctorResourceFailed = 4506,
    /// What the resource depends on is not known.
    DoctorDependenciesUnknown = 4507,
    /// The resource does not depend on an IP resource.
    DoctorNoDependency = 4508,
    /// No IP resource has an address.
    DoctorNoIpResource = 4509,
    /// LifeKeeper has no copy of an action.
    DoctorNoCopy = 4510,
    /// A copy is not the kit's.
    DoctorForeignCopy = 4511,
    /// A copy is not executable.
    DoctorCopyMode = 4512,
    /// A program of the kit cannot be run.
    DoctorStubs = 4513,
    /// A program of the kit was changed.
    DoctorStubsEdited = 4514,
    /// To which nodes the resource is extended is not known.
    DoctorExtensionUnknown = 4515,
    /// The resource is not extended to a node.
    DoctorNotExtended = 4516,

    // doctor: the nodes together.
    /// LifeKeeper's versions differ.
    DoctorLifeKeeperVersions = 4601,
    /// Dovecot's versions differ.
    DoctorDovecotVersions = 4602,
    /// The kit's versions differ.
    DoctorKitVersions = 4603,
    /// Dovecot's configuration differs.
    DoctorConfigurations = 4604,
    /// The settings differ.
    DoctorSettings = 4605,
    /// LifeKeeper's copies differ.
    DoctorCopies = 4606,
    /// Dovecot runs on more than one node.
    DoctorRunsTwice = 4607,
    /// The resource is in service on more than one node.
    DoctorInServiceTwice = 4608,
    /// An address is on more than one node.
    DoctorAddressTwice = 4609,
    /// No other node was asked.
    DoctorNoPeers = 4610,
    /// LifeKeeper does not list the other nodes.
    DoctorPeersUnknown = 4611,
    /// A node is not alive.
    DoctorPeerDead = 4612,
    /// The tag cannot be passed to another node.
    DoctorPeerTag = 4613,
    /// A node has another version of the kit.
    DoctorPeerVersion = 4614,
    /// The answer of a node is not understood.
    DoctorPeerGarbage = 4615,
    /// A node gave no answer.
    DoctorPeerSilent = 4616,
    /// The login check's accounts differ.
    DoctorAccounts = 4617,
    /// systemd restarts Dovecot on some nodes alone.
    DoctorRestarts = 4618,
}

impl Message {
    /// Reads a number as people type it: `ARK1101`, `ark1101` or `1101`.
    ///
    /// # Errors
    ///
    /// That no message has it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let digits = |text: &str| text.to_ascii_uppercase().trim_start_matches("ARK").to_owned();
        let found = Self::ALL.iter().find(|message| digits(message.code()) == digits(text));
        found.copied().ok_or_else(|| "no message has this number".to_owned())
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// A message with its words.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Remark {
    /// Its number, such as `ARK1101`.
    #[serde(rename = "number")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) message: Message,
    /// What is said in this case.
    pub(crate) text: String,
}

impl Remark {
    /// Says this under the number of a message.
    pub(crate) fn new(message: Message, text: impl Into<String>) -> Self {
        Self { message, text: text.into() }
    }

    /// The words alone.
    pub(crate) fn texts(remarks: &[Self]) -> Vec<String> {
        remarks.iter().map(|remark| remark.text.clone()).collect()
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The number of a record of the log, if it has one.
pub(crate) fn number_of<'a>(record: &::log::Record<'a>) -> Option<&'a str> {
    let is_numbered = record.level() <= ::log::Level::Warn;
    Some(record.target()).filter(|target| is_numbered && target.starts_with("ARK"))
}

/// Logs at a level under the number of a message.
macro_rules! log_numbered {
    ($level:ident, $message:expr, $($text:tt)+) => {
        ::log::log!(target: $crate::messages::Message::code($message), ::log::Level::$level, $($text)+)
    };
}

/// Logs a warning: `warning!(Message::NoLock, "{cause}")`.
macro_rules! warning {
    ($message:expr, $($text:tt)+) => {
        $crate::messages::log_numbered!(Warn, $message, $($text)+)
    };
}

/// Logs an error: `error!(cause.message(), "{cause}")`.
macro_rules! error {
    ($message:expr, $($text:tt)+) => {
        $crate::messages::log_numbered!(Error, $message, $($text)+)
    };
}

pub(crate) use {error, log_numbered, warning};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_four_digits_and_one_message_and_they_stand_in_their_order() {
        for message in Message::ALL {
            let digits = message.code().strip_prefix("ARK").unwrap_or_default();
            assert!(digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()), "{message:?}");
        }
        let codes: Vec<&str> = Message::ALL.iter().map(|message| message.code()).collect();
        for text in ["ARK1101", "ark1101", "1101"] {
            assert_eq!(Message::parse(text), Ok(Message::Fault), "{text}");
        }
        assert!(codes.is_sorted_by(|one, next| one < next), "{codes:?}");
    }
}
