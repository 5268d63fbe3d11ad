namespace Rcmp.Hosts.Cli;

/// <summary>A command cannot go on: one line for the user, and the exit code.</summary>
internal sealed class CommandException(int exitCode, string message, Exception? innerException = null) : Exception(message, innerException)
{
    public int ExitCode { get; } = exitCode;

    public static CommandException Usage(string message) => new(ExitCodes.Usage, message);

    public static CommandException Unreachable(string message, Exception? cause = null) => new(ExitCodes.Unreachable, message, cause);

    public static CommandException Missing(string message, Exception? cause = null) => new(ExitCodes.ResourceMissing, message, cause);

    public static CommandException CheckFailed(string message) => new(ExitCodes.CheckFailed, message);
}
