using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Rcmp.Hosts.Cli;

/// <summary>The program: parses, runs one command, and turns every failure into one line and an exit code.</summary>
internal static class RcmpProgram
{
    public static string Version { get; } =
        typeof(RcmpProgram).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0.0.0";

    /// <summary>Runs until the command ends; Ctrl-C and SIGTERM ask it to end, a second one does not wait.</summary>
    public static async Task<int> RunAsync(string[] arguments, CommandIo io)
    {
        using var stop = new CancellationTokenSource();
        var interrupted = false;
        void OnSignal(PosixSignalContext signal)
        {
            if (stop.IsCancellationRequested) return;
            signal.Cancel = true;
            interrupted = signal.Signal == PosixSignal.SIGINT;
            stop.Cancel();
        }

        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
        var exitCode = await RunAsync(arguments, io, stop.Token);
        // SIGTERM is how a service is ended: nothing went wrong. Ctrl-C is told apart for scripts.
        return exitCode == ExitCodes.Done && interrupted ? ExitCodes.Interrupted : exitCode;
    }

    public static async Task<int> RunAsync(string[] arguments, CommandIo io, CancellationToken ct)
    {
        var tree = CommandTree.Build();
        // Response files would make an argument that begins with '@' mean something else.
        var parsed = tree.Root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        var verbose = parsed.GetValue(tree.Verbose);
        if (parsed.GetValue(tree.Version))
        {
            io.Out.WriteLine($"rcmp {Version}");
            return ExitCodes.Done;
        }
        if (parsed.Action is HelpAction)
            return parsed.Invoke(new InvocationConfiguration { Output = io.Out, Error = io.Error });
        if (ParseErrors.Describe(parsed) is { } complaint)
        {
            io.Error.WriteLine($"error: {Printable.Line(complaint)}");
            return ExitCodes.Usage;
        }
        if (parsed.CommandResult.Command is not RcmpCommand command)
        {
            var group = parsed.CommandResult.Command;
            io.Error.WriteLine($"error: {PathOf(parsed.CommandResult)} needs a command: {string.Join(", ", group.Subcommands.Where(c => !c.Hidden).Select(c => c.Name))}");
            return ExitCodes.Usage;
        }
        var color = !parsed.GetValue(tree.NoColor) && Environment.GetEnvironmentVariable("NO_COLOR") is null or "";
        try
        {
            return await command.RunAsync(new CommandContext(parsed, io, verbose, color), ct);
        }
        catch (Exception exception)
        {
            var (exitCode, line) = Failures.Describe(exception, ct);
            if (line is not null) io.Error.WriteLine($"error: {line}");
            if (verbose) io.Error.WriteLine(exception);
            return exitCode;
        }
    }

    /// <summary>The command as typed, such as <c>rcmp region create</c>.</summary>
    public static string PathOf(CommandResult result) =>
        result.Parent is CommandResult parent ? $"{PathOf(parent)} {result.Command.Name}" : "rcmp";
}
