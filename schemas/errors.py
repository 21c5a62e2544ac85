"""The errors of this project, in one tree: one type for each boundary, under one base that the command line catches.

    RepmonError
    ├── InvalidInputError (a ValueError): what somebody wrote or sent cannot be used
    │   ├── SettingsError         repmon.toml, the environment, an option of a command
    │   ├── KafkaSecurityError    how a broker is spoken to
    │   ├── TlsFileError          a file of certificates or keys
    │   ├── PolicyError           a policy
    │   ├── BlocklistsError       the table of blocklists
    │   ├── ProvidersError        the table of mailbox providers
    │   ├── FeedbackLoopsError    the table of who reports complaints
    │   ├── RulesError            the rules by which bounces are classified
    │   ├── NamedListsError       the table of lists that bounces name
    │   ├── BadNameError          the name of a customer, a stream or a pool
    │   ├── TopicsError           the definitions of the topics
    │   ├── HookError             what a suspension hook may do
    │   ├── CollectError          the sources of webhooks in the settings
    │   ├── NotifyError           the routes of notifications in the settings
    │   ├── AdaptError            a body, a log line or a mail of some format
    │   │   ├── AmbiguousError    a place at which two customers are named
    │   │   ├── RefusedReportError a report by mail that is not believed
    │   │   └── NotAdmittedError  an event of a customer who is one new one too many
    │   ├── CustomersError        the list of customers
    │   ├── DecisionError         an override, an acknowledgement, a suspension
    │   │   ├── NoSuchError       what it is about is not there
    │   │   └── DecidedError      it was decided already, or is over
    │   │       └── PolicyChangedError  another policy came into force than was to be replaced
    │   ├── DeadLetterError       which dead letters are meant
    │   │   └── NoSuchLetterError  there is none of this id
    │   ├── BackupError           a backup of the embedded store
    │   ├── StoredDataError       what is erased, exported, restored, counted again or moved
    │   ├── EventError            a message that is no event to tell of
    │   ├── FollowError           a log that cannot be followed
    │   ├── SimulationError       what a simulation is asked for
    │   ├── ApiKeyError           which key of the HTTP interface is meant
    │   │   └── NoSuchKeyError    there is none of this id
    │   ├── ScopeError            what a key may do
    │   ├── MalformedRequestError a request of Kafka's protocol that is not what it says
    │   ├── RangeError            a time or a range of times in a request
    │   ├── SignatureError        a webhook that does not prove where it is from
    │   │   └── CredentialsError  one whose name or password is wrong
    │   ├── KeyFormatError        a public key that cannot be read
    │   ├── NotGzipError          a body that is not the gzip it says it is
    │   ├── RefusedStatementError what the read-only user of the embedded store may not ask
    │   └── TooLargeError         a request larger than is read
    ├── ExternalError (a RuntimeError): what runs elsewhere did not do what it was asked
    │   ├── StoreError            ClickHouse or chDB
    │   │   ├── StoreBusyError    it could not do a query in time
    │   │   ├── QueryLimitError   a query that reads, holds or gives back more than it may
    │   │   └── QueryValueError   a value in a query that is out of range
    │   ├── BrokerError           Kafka
    │   │   └── UnacknowledgedError  it has not taken a message yet
    │   ├── OversizedAnswerError  an answer over HTTP with more bytes than are read
    │   ├── TokenError            who gives tokens for a broker
    │   ├── AnswerError           an answer of a polled provider that is not the documented one
    │   ├── TargetError           who was asked to stop mail, or to let it go on
    │   ├── LeaseLostError        another hook acts by now
    │   ├── PollError             a mailbox provider that is asked for what it reports
    │   │   ├── BadCredentialError  it does not take the credentials
    │   │   ├── NoAccessError     it gives no access to a domain
    │   │   └── TryLaterError     it is asked too often, or cannot answer now
    │   ├── NotPublicError        a target of notifications whose address is not public
    │   ├── NotFoundError         one whose name cannot be looked up
    │   ├── NoAnswerError         one that does not answer
    │   ├── DashboardError        Grafana, or the file of the dashboard
    │   ├── DeadShareError        too large a share of a topic cannot be read
    │   ├── StageEndedError       a stage that ended by itself, without an error
    │   ├── NotYetError           a `repmon up` that is starting, or ending
    │   ├── FetchError            a certificate that cannot be fetched
    │   ├── NotTakenError         the broker did not take a webhook in time
    │   ├── TooManyError          more requests of one key than may wait
    │   ├── WaitedTooLongError    a request whose turn does not come
    │   ├── PartsLostError        what is new in a table cannot be told from what was there
    │   ├── PartsChangingError    its parts changed each time that they were read
    │   └── NoRoomError           more requests at once than memory is set aside for
    ├── ApiProblemError           the HTTP interface refused what its client asked
    ├── TooSlowError (a TimeoutError): a request that does not arrive in time
    └── ApiError                  what the HTTP interface answers with a problem document
        ├── SignInNeededError     the console, of somebody who is not signed in
        ├── FrameOverError        the same, of a customer's page in a frame whose token is no longer good
        └── RefusedError          the same, of the collector

A message is one sentence that names what is wrong and where. Everything else that is raised is a defect, and ends in
a traceback.
"""


class RepmonError(Exception):
    """What a person can mend: `repmon` prints the message and ends with exit code 2."""


class InvalidInputError(RepmonError, ValueError):
    """What somebody wrote or sent cannot be used; the message names it and what is wrong."""


class ExternalError(RepmonError, RuntimeError):
    """What runs elsewhere failed or cannot be reached; the message names it and why.

    `unreachable` is the section of the settings, `kafka` or `clickhouse`, whose server did not answer at all.
    """

    def __init__(self, message: str = "", *, unreachable: str = "") -> None:
        super().__init__(message)
        self.unreachable = unreachable
