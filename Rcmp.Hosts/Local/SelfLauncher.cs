using System.Diagnostics;
using System.Runtime.InteropServices;
using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Local;

/// <summary>Starts this program again as another process.</summary>
internal static class SelfLauncher
{
    /// <summary>The <c>dotnet</c> that runs this process: beside the runtime, wherever that was installed.</summary>
    private static string Dotnet => Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "../../../dotnet"));

    private static string Program => typeof(SelfLauncher).Assembly.Location;

    /// <summary>How to start <c>rcmp</c> with <paramref name="arguments"/>.</summary>
    public static ProcessStartInfo Describe(IEnumerable<string> arguments)
    {
        if (!File.Exists(Dotnet)) throw CommandException.Missing($"the program cannot start others of its kind: {Dotnet} does not exist");
        var start = new ProcessStartInfo(Dotnet);
        start.ArgumentList.Add(Program);
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        return start;
    }

    /// <summary>Starts it in a session of its own, so that a terminal's Ctrl-C does not reach it, with its output in a file. Its input is a pipe
    /// from here, or nothing if it shall outlive this process. The launcher stands before the program and becomes it.</summary>
    public static Process StartLogged(IEnumerable<string> arguments, string logPath, bool outlives, IReadOnlyList<string> launcher, IReadOnlyDictionary<string, string>? environment = null)
    {
        var self = Describe(arguments);
        // "exec" twice: the process that is started is the node itself, and its id is the one to watch.
        var start = new ProcessStartInfo("/bin/sh") { RedirectStandardInput = !outlives };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(outlives ? "log=$1; shift; exec setsid \"$@\" >>\"$log\" 2>&1 </dev/null" : "log=$1; shift; exec setsid \"$@\" >>\"$log\" 2>&1");
        start.ArgumentList.Add("sh");
        start.ArgumentList.Add(logPath);
        foreach (var argument in (IEnumerable<string>)[.. launcher, self.FileName, .. self.ArgumentList]) start.ArgumentList.Add(argument);
        foreach (var (name, value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
        return Process.Start(start) ?? throw CommandException.Missing("a process could not be started");
    }
}
