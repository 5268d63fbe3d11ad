using System.Globalization;
using Rcmp.Protocol.Messages;

namespace Rcmp.Tests.Workers;

/// <summary>Where in a step the shard's process ends.</summary>
public enum StepPoint
{
    /// <summary>The order is about to be sent: no rack ever sees it.</summary>
    Sending,

    /// <summary>The order is carried out, and the shard is about to be told.</summary>
    Answered,
}

/// <summary>A step of a page's move.</summary>
/// <param name="Page">Which page.</param>
/// <param name="Order">The step's order.</param>
/// <param name="Point">Before or after it.</param>
/// <param name="LosesPulled">The receiver's answer to <c>Pull</c> is lost until then: the move is given up with a complete copy at its receiver.</param>
internal sealed record MoveStep(PageId Page, OrderKind Order, StepPoint Point, bool LosesPulled)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Page.Value} {Order} {Point} {LosesPulled}");

    public static MoveStep Parse(string text)
    {
        var words = text.Split(' ');
        return new MoveStep(new PageId(ulong.Parse(words[0], CultureInfo.InvariantCulture)), Enum.Parse<OrderKind>(words[1]), Enum.Parse<StepPoint>(words[2]), bool.Parse(words[3]));
    }
}

/// <summary>How a test and its nodes speak: files in the cluster's directory, which outlive a node that is killed.</summary>
internal sealed class StepFiles(string directory)
{
    private string ArmedFile => Path.Combine(directory, "step-armed");

    private string ClaimedFile => Path.Combine(directory, "step-claimed");

    private string ReachedFile => Path.Combine(directory, "step-reached");

    /// <summary>The step at which a node ends itself; null if none has been set, or one has ended itself.</summary>
    public MoveStep? Armed => Read(ArmedFile) is { } text ? MoveStep.Parse(text) : null;

    /// <summary>The node that ended itself; null if none has.</summary>
    public int? ReachedBy => Read(ReachedFile) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : null;

    public void Arm(MoveStep step)
    {
        Disarm();
        Write(ArmedFile, step.ToString());
    }

    public void Disarm()
    {
        File.Delete(ArmedFile);
        File.Delete(ClaimedFile);
        File.Delete(ReachedFile);
    }

    /// <summary>True for one node alone, whose process is then named as the one that got there.</summary>
    public bool Claim()
    {
        try
        {
            File.Move(ArmedFile, ClaimedFile);
        }
        catch (FileNotFoundException)
        {
            return false;
        }

        Write(ReachedFile, Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        return true;
    }

    /// <summary>This process runs the shard from now on.</summary>
    public void Host(ShardId shard) => Write(HostFile(shard), Environment.ProcessId.ToString(CultureInfo.InvariantCulture));

    /// <summary>The process that began to run the shard last.</summary>
    public int? HostOf(ShardId shard) => Read(HostFile(shard)) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : null;

    private string HostFile(ShardId shard) => Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"shard-{shard.Value}"));

    // A reader never sees half of it.
    private static void Write(string path, string text)
    {
        var whole = string.Create(CultureInfo.InvariantCulture, $"{path}.{Environment.ProcessId}");
        File.WriteAllText(whole, text);
        File.Move(whole, path, true);
    }

    private static string? Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }
}
