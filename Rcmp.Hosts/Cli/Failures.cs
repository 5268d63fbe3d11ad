using System.Net.Sockets;

namespace Rcmp.Hosts.Cli;

/// <summary>The one place that says which failure has which exit code.</summary>
internal static class Failures
{
    private const int NoSpaceLeft = 28;
    private const int NoMemory = 12;
    private const int LineMax = 2000;

    /// <summary>The exit code, and the line to print; none if the user interrupted.</summary>
    public static (int ExitCode, string? Line) Describe(Exception exception, CancellationToken ct)
    {
        if (ct.IsCancellationRequested && exception is OperationCanceledException) return (ExitCodes.Interrupted, null);
        var cause = Unwrap(exception);
        return (ExitCodeOf(cause), OneLine(cause));
    }

    public static int ExitCodeOf(Exception exception) => exception switch
    {
        CommandException known => known.ExitCode,
        PoolMismatchException or PoolConfigurationException or RegionOptionsException => ExitCodes.Usage,
        PoolNotConnectedException or PageUnavailableException or PoolOutcomeUnknownException or PoolClosedException => ExitCodes.Unreachable,
        RegionDamagedException => ExitCodes.CheckFailed,
        PoolExhaustedException or RegionBusyException or RegionResourceException => ExitCodes.ResourceMissing,
        PageNotFoundException => ExitCodes.Usage,
        PoolException { InnerException: { } inner } when inner is not PoolException => ExitCodeOf(inner),
        OutOfMemoryException or UnauthorizedAccessException or DllNotFoundException or PlatformNotSupportedException => ExitCodes.ResourceMissing,
        SocketException { SocketErrorCode: SocketError.AddressAlreadyInUse or SocketError.AddressNotAvailable or SocketError.AccessDenied } =>
            ExitCodes.ResourceMissing,
        SocketException or TimeoutException => ExitCodes.Unreachable,
        FileNotFoundException or DirectoryNotFoundException or FormatException or ArgumentException => ExitCodes.Usage,
        IOException io when (io.HResult & 0xFFFF) is NoSpaceLeft or NoMemory => ExitCodes.ResourceMissing,
        IOException => ExitCodes.ResourceMissing,
        OperationCanceledException => ExitCodes.Interrupted,
        _ => ExitCodes.CheckFailed,
    };

    private static Exception Unwrap(Exception exception)
    {
        while (exception is AggregateException or TypeInitializationException && exception.InnerException is { } inner) exception = inner;
        return exception;
    }

    /// <summary>The message, without line breaks and without .NET's additions.</summary>
    public static string OneLine(Exception exception)
    {
        var line = exception.Message.ReplaceLineEndings(" ").Trim();
        // .NET appends the parameter, which means nothing to a user of the program.
        if (exception is ArgumentException { ParamName: { } name }) line = line.Replace($" (Parameter '{name}')", "");
        return line.Length == 0 ? exception.GetType().Name : Printable.Line(line, LineMax);
    }
}
