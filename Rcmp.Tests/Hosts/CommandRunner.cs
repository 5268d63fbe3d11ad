using Rcmp.Hosts.Cli;

namespace Rcmp.Tests.Hosts;

/// <summary>What one run of the program printed, and its exit code.</summary>
internal sealed record CommandResult(int ExitCode, string Out, string Error)
{
    public string[] Lines => Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}

/// <summary>Runs the program in this process.</summary>
internal static class CommandRunner
{
    public static Task<CommandResult> RunAsync(params string[] arguments) => RunWithInputAsync("", arguments);

    public static async Task<CommandResult> RunWithInputAsync(string input, params string[] arguments)
    {
        var output = new StringWriter();
        var error = new StringWriter();
        var io = new CommandIo(new StringReader(input), TextWriter.Synchronized(output), TextWriter.Synchronized(error), false, false);
        // A command that should have been refused must not run for ever.
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TimeSpan.FromMinutes(2));
        var exitCode = await RcmpProgram.RunAsync(arguments, io, patience.Token);
        return new CommandResult(exitCode, output.ToString(), error.ToString());
    }
}
