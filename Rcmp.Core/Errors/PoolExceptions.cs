namespace Rcmp;

/// <summary>What went wrong in the pool. The message names the address, if there is one, and the setting to change.</summary>
public class PoolException : Exception
{
    /// <summary>An error with its message, and whether a repeat may succeed.</summary>
    public PoolException(string message, bool isTransient = false, Exception? innerException = null)
        : base(message, innerException) => IsTransient = isTransient;

    /// <summary>Whether the same call may succeed later without anybody changing anything.</summary>
    public bool IsTransient { get; }
}

/// <summary>The address was never allocated, or has been freed.</summary>
public sealed class PageNotFoundException(string message) : PoolException(message);

/// <summary>The page's rack, or what would say where the page is, cannot be reached within the configured time.</summary>
public sealed class PageUnavailableException(string message, Exception? innerException = null) : PoolException(FailurePage.See(message, "page-unavailable"), true, innerException);

/// <summary>No room: frames, sessions, or another resource of the pool is used up. Nothing was allocated.</summary>
public sealed class PoolExhaustedException(string message, bool isTransient = true) : PoolException(FailurePage.See(message, "pool-full"), isTransient);

/// <summary>Pool id, page size or format version differ.</summary>
public sealed class PoolMismatchException(string message) : PoolException(FailurePage.See(message, "pool-mismatch"));

/// <summary>The client has no session with its rack's daemon, and could not get one within the configured time.</summary>
public sealed class PoolNotConnectedException(string message, Exception? innerException = null) : PoolException(FailurePage.See(message, "cannot-connect"), true, innerException);

/// <summary>The pool object was disposed.</summary>
public sealed class PoolClosedException(string message) : PoolException(message);

/// <summary>A write, an atomic or a free was sent, and its answer was lost: it may have been carried out or not. The pool never repeats it.</summary>
public sealed class PoolOutcomeUnknownException(string message, Exception? innerException = null) : PoolException(FailurePage.See(message, "outcome-unknown"), false, innerException);

/// <summary>Links a message to the page of docs/failures that explains it.</summary>
internal static class FailurePage
{
    private const string Folder = "docs/failures/";

    /// <summary>A message that was an exception's in another process has its link already.</summary>
    public static string See(string message, string page) =>
        message.Contains(Folder, StringComparison.Ordinal) ? message : $"{message}{(message is [.., '.' or '?' or '!'] ? "" : ".")} See {Folder}{page}.md.";
}
