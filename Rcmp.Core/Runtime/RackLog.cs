using Microsoft.Extensions.Logging;
using Rcmp.Protocol;

namespace Rcmp.Runtime;

/// <summary>Log lines of a rack host; ids are stable.</summary>
internal static partial class RackLog
{
    public static void Write(ILogger log, RackLogLevel level, string message)
    {
        switch (level)
        {
            case RackLogLevel.Debug: CoreDebug(log, message); break;
            case RackLogLevel.Information: CoreInformation(log, message); break;
            case RackLogLevel.Warning: CoreWarning(log, message); break;
            default: CoreError(log, message); break;
        }
    }

    [LoggerMessage(1000, LogLevel.Information, "Attached region {Path}, generation {Generation}: {Resident} pages, {Unsettled} moves to settle; fabric at {Address}.")]
    public static partial void Attached(ILogger log, string path, ulong generation, long resident, long unsettled, string address);

    [LoggerMessage(1001, LogLevel.Critical, "An invariant is broken, the node stops: {Message}")]
    public static partial void Fatal(ILogger log, string message);

    [LoggerMessage(1002, LogLevel.Error, "Failed to handle {Message}.")]
    public static partial void HandlerFailed(ILogger log, string message, Exception exception);

    [LoggerMessage(1003, LogLevel.Information, "Session {Session} opened: {Client}, process {ProcessId}, record {Index}.")]
    public static partial void SessionOpened(ILogger log, SessionToken session, string client, int processId, int index);

    [LoggerMessage(1004, LogLevel.Information, "Session {Session} ended: its process is gone.")]
    public static partial void SessionEnded(ILogger log, SessionToken session);

    [LoggerMessage(1005, LogLevel.Warning, "{Path}: {Count} page-table entries named a frame whose row says otherwise; the rows counted. Its memory may be damaged: check the region while no daemon has it ('rcmp region check').")]
    public static partial void EntriesContradicted(ILogger log, string path, long count);

    [LoggerMessage(1010, LogLevel.Debug, "{Message}")]
    private static partial void CoreDebug(ILogger log, string message);

    [LoggerMessage(1011, LogLevel.Information, "{Message}")]
    private static partial void CoreInformation(ILogger log, string message);

    [LoggerMessage(1012, LogLevel.Warning, "{Message}")]
    private static partial void CoreWarning(ILogger log, string message);

    [LoggerMessage(1013, LogLevel.Error, "{Message}")]
    private static partial void CoreError(ILogger log, string message);
}
